//! How the portal looks, as it is set in the dashboard.

use posthouse_schema::words::Role;
use serde_json::{Value, json};

use crate::{
    dashboard::{Browser, location, text},
    harness::Api,
};

async fn stored(api: &Api) -> Value {
    let path = format!("/api/v1/projects/{}", api.project);
    api.send("GET", &path, Some(&api.key), &[], None).await.data()["config"]["portal"].clone()
}

/// What is wrong is said at its field, whether it is to be saved or only tried.
async fn wrong_fields_are_named(browser: &Browser<'_>, path: &str) {
    for (field, wrong) in [
        ("name", "x".repeat(101)),
        ("logo_url", "javascript:alert(1)".into()),
        ("accent_color", "red".into()),
        ("header_color", "#fff".into()),
        ("color_scheme", "pink".into()),
        ("frame_ancestors", "https://app.example.com\n*".into()),
    ] {
        let name = format!("config.portal.{field}");
        for what in ["save", "try"] {
            let refused = browser.post(path, &[("do", what), (name.as_str(), wrong.as_str())]).await;
            let is_said = text(&refused).contains(&format!("id=\"{name}-error\""));
            assert!(refused.status == 422 && is_said, "{what} {field}: {}", refused.body);
        }
    }
}

#[tokio::test]
async fn the_look_of_the_portal_is_tried_changed_and_shown() {
    let api = Api::start().await;
    api.join("ada", Role::ProjectAdmin).await;
    api.join("vera", Role::ProjectViewer).await;
    let browser = Browser::signed_in(&api, "ada").await;
    let settings = format!("/projects/{}/settings", api.project);
    let path = format!("{settings}/portal");
    for way in [settings.clone(), format!("/projects/{}/portal-links", api.project)] {
        assert!(browser.page(&way).await.contains(&format!("href=\"{path}\"")), "{way} leads to it");
    }
    let empty = browser.page(&path).await;
    assert!(empty.contains("the instance decides: nobody may.") && empty.contains("#2a54cc"), "{empty}");

    let fields = [
        ("config.portal.name", "Acme <b>"),
        ("config.portal.logo_url", "https://cdn.example.com/logo.svg"),
        ("config.portal.accent_color", "#102030"),
        ("config.portal.header_color", "#405060"),
        ("config.portal.color_scheme", "light"),
        ("config.portal.frame_ancestors", " https://App.example.com/ \r\nself\r\n"),
    ];
    let before = stored(&api).await;
    let tried = browser.post(&path, &[&fields[..], &[("do", "try")]].concat()).await;
    let page = text(&tried);
    assert!(
        tried.status == 200 && page.contains("Nothing is saved yet.") && page.contains("value=\"#102030\""),
        "{page}"
    );
    assert!(
        page.contains("fill=\"#405060\"") && page.contains("Acme &lt;b&gt;") && !page.contains("Acme <b>"),
        "{page}"
    );
    assert_eq!((page.matches("<svg class=\"look\"").count(), stored(&api).await), (1, before), "only the light scheme");

    let saved = browser.post(&path, &fields).await;
    assert_eq!((saved.status, location(&saved)), (303, path.clone()), "{}", saved.body);
    let whole = json!({
        "name": "Acme <b>", "logo_url": "https://cdn.example.com/logo.svg", "accent_color": "#102030",
        "header_color": "#405060", "color_scheme": "light", "frame_ancestors": ["https://app.example.com", "'self'"],
    });
    assert_eq!(stored(&api).await, whole);
    let page = browser.page(&path).await;
    assert!(page.contains("https://app.example.com\nself</textarea>"), "{page}");
    assert!(page.contains("<option value=\"light\" selected>"), "{page}");
    // Saved as the page shows it, nothing changes; and the other settings leave it alone.
    assert_eq!(browser.post(&path, &fields).await.status, 303);
    let others = [
        ("name", "orders"),
        ("config.request_id_header", "X-Key"),
        ("config.signature.header", "X-Signed"),
        ("config.retention_policy.policy", "240h"),
    ];
    assert_eq!(browser.post(&settings, &others).await.status, 303);
    assert_eq!(stored(&api).await, whole);

    wrong_fields_are_named(&browser, &path).await;
    assert_eq!(stored(&api).await, whole);

    let vera = Browser::signed_in(&api, "vera").await;
    let page = vera.page(&path).await;
    assert!(page.contains("https://cdn.example.com/logo.svg") && !page.contains("Try the colours"), "{page}");
    assert_eq!(vera.post(&path, &fields).await.status, 403);
    api.close().await;
}
