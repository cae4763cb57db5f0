//! The way from the dashboard to the job board, and what does not lead there.

use posthouse_api::app::ApiSettings;
use posthouse_schema::{organisation, words::Role};

use crate::{
    dashboard::{Browser, HTML, location, text},
    harness::{Answer, Api, accounts},
};

const DASHBOARD: &str = "https://console.example.com";
const BOARD: &str = "https://jobs.example.com";
const ANSWER: &str = "__Host-posthouse-board-entry=";
const VISIT: &str = "__Host-posthouse-board=";

async fn started() -> Api {
    let settings = ApiSettings {
        accounts: accounts(),
        public_url: Some(DASHBOARD.into()),
        board_url: Some(format!("{BOARD}/").parse().unwrap()),
        ..ApiSettings::default()
    };
    let api = Api::start_with(settings).await;
    api.join("root", Role::InstanceAdmin).await;
    api
}

/// A cookie that an answer gives, with all that it says of it.
fn cookie(answer: &Answer, name: &str) -> String {
    let mut cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    cookies.find(|cookie| cookie.starts_with(name)).unwrap_or_default().to_string()
}

/// The same as a browser sends it back.
fn sent(answer: &Answer, name: &str) -> String {
    cookie(answer, name).split(';').next().unwrap().to_string()
}

/// A browser without a cookie of the board: what answers its challenge, and where it is sent.
async fn sent_to_the_dashboard(api: &Api) -> (String, String) {
    let begun = api.browse_board("GET", "/", &[HTML]).await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    let to = location(&begun);
    let path = to.strip_prefix(DASHBOARD).unwrap_or_else(|| panic!("{to}"));
    assert!(path.starts_with("/admin/board?challenge="), "{path}");
    (sent(&begun, ANSWER), path.to_string())
}

/// Where the dashboard leads on from this path.
async fn led_on(browser: &Browser<'_>, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let refresh = answer.headers.get("refresh").map(|value| value.to_str().unwrap()).unwrap_or_default();
    let to = refresh.strip_prefix("0; url=").unwrap_or_else(|| panic!("{refresh}"));
    assert!(text(&answer).contains(&format!("href=\"{to}\"")), "{}", answer.body);
    to.to_string()
}

/// The path by which a ticket is shown.
async fn ticket(browser: &Browser<'_>, path: &str) -> String {
    let to = led_on(browser, path).await;
    let path = to.strip_prefix(BOARD).unwrap_or_else(|| panic!("{to}"));
    assert!(path.starts_with("/enter?ticket="), "{path}");
    path.to_string()
}

/// Comes in, and gives the cookie.
async fn entered(api: &Api, browser: &Browser<'_>) -> String {
    let (answer, path) = sent_to_the_dashboard(api).await;
    let came = api.browse_board("GET", &ticket(browser, &path).await, &[("cookie", &answer)]).await;
    assert_eq!((came.status, location(&came).as_str()), (303, "/"), "{}", came.body);
    sent(&came, VISIT)
}

#[tokio::test]
async fn who_is_signed_in_comes_to_the_board_without_a_key() {
    let api = started().await;
    let browser = Browser::signed_in(&api, "root").await;
    assert!(browser.page("/admin/queues").await.contains(&format!("href=\"{BOARD}\"")));
    let visit = entered(&api, &browser).await;
    let queues = api.browse_board("GET", "/api/v1/queues", &[("cookie", &visit)]).await;
    assert_eq!((queues.status, queues.body.as_array().unwrap().len()), (200, posthouse_jobs::QUEUES.len()));
    assert_eq!(queues.headers["cache-control"], "no-store");
    for path in ["/", "/queues/create_event"] {
        let page = api.browse_board("GET", path, &[("cookie", &visit), HTML]).await;
        assert_eq!(page.status, 200, "{path}");
        for rest in ["/projects", "/admin/schedules", "/admin/queues"] {
            assert!(text(&page).contains(&format!("href=\"{DASHBOARD}{rest}\"")), "{path}: {}", page.body);
        }
    }
    let script = text(&api.browse_board("GET", "/", &[("cookie", &visit), HTML]).await);
    let (_, script) = script.split_once("from '").unwrap();
    let script = api.browse_board("GET", script.split('\'').next().unwrap(), &[("cookie", &visit)]).await;
    assert_eq!((script.status, &script.headers["content-type"]), (200, &"application/javascript".parse().unwrap()));
    api.close().await;
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_first() {
    let api = started().await;
    let (_, path) = sent_to_the_dashboard(&api).await;
    let asked = api.send("GET", &path, None, &[HTML], None).await;
    assert_eq!(asked.status, 303);
    let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    assert_eq!(location(&asked), format!("/sign-in?next={encoded}"));
    api.close().await;
}

#[tokio::test]
async fn a_ticket_opens_the_board_once_and_for_its_browser_alone() {
    let api = started().await;
    let browser = Browser::signed_in(&api, "root").await;
    let refused = async |path: &str, headers: &[(&str, &str)]| {
        let answer = api.browse_board("GET", path, headers).await;
        assert_eq!((answer.status, sent(&answer, VISIT).as_str()), (403, ""), "{path} {headers:?}: {}", answer.body);
        assert!(text(&answer).contains("begun in another browser"), "{}", answer.body);
    };
    let (answer, path) = sent_to_the_dashboard(&api).await;
    let used = ticket(&browser, &path).await;
    assert_eq!(api.browse_board("GET", &used, &[("cookie", &answer)]).await.status, 303);
    refused(&used, &[("cookie", &answer)]).await;
    // One that somebody else was given: a browser that has no answer, or the answer to another challenge.
    let (other, _) = sent_to_the_dashboard(&api).await;
    for headers in [&[][..], &[("cookie", other.as_str())]] {
        let planted = ticket(&browser, &path).await;
        refused(&planted, headers).await;
        refused(&planted, &[("cookie", &answer)]).await;
    }
    for path in ["/enter", "/enter?ticket=", &format!("/enter?ticket={}", "x".repeat(43))] {
        refused(path, &[("cookie", &answer)]).await;
    }
    api.close().await;
}

#[tokio::test]
async fn a_planted_cookie_opens_nothing_and_is_not_kept() {
    let api = started().await;
    let browser = Browser::signed_in(&api, "root").await;
    let planted = format!("{VISIT}{}", "x".repeat(43));
    let (answer, path) = sent_to_the_dashboard(&api).await;
    let both = format!("{answer}; {planted}");
    let came = api.browse_board("GET", &ticket(&browser, &path).await, &[("cookie", &both)]).await;
    assert_eq!(came.status, 303);
    assert_ne!(sent(&came, VISIT), planted);
    // Nor does what the other cookie holds, or a ticket, in this one's place.
    let answer = answer.replace(ANSWER, VISIT);
    let (_, path) = sent_to_the_dashboard(&api).await;
    let ticket = ticket(&browser, &path).await.replace("/enter?ticket=", VISIT);
    for cookie in [planted, answer, ticket] {
        assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &cookie)]).await.status, 401, "{cookie}");
    }
    for name in [ANSWER, VISIT] {
        let (answer, path) = sent_to_the_dashboard(&api).await;
        let given = match name {
            ANSWER => api.browse_board("GET", "/", &[HTML]).await,
            _ => api.browse_board("GET", &self::ticket(&browser, &path).await, &[("cookie", &answer)]).await,
        };
        let cookie = cookie(&given, name);
        for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    api.close().await;
}

#[tokio::test]
async fn signing_out_ends_the_visit() {
    let api = started().await;
    let (first, second) = (Browser::signed_in(&api, "root").await, Browser::signed_in(&api, "root").await);
    let (one, other) = (entered(&api, &first).await, entered(&api, &second).await);
    first.post("/sign-out", &[]).await;
    let fetched = [("cookie", one.as_str()), ("sec-fetch-mode", "cors")];
    let gone = api.browse_board("GET", "/api/v1/queues", &fetched).await;
    assert_eq!(gone.status, 401);
    assert!(!gone.headers.contains_key("www-authenticate"), "a page that runs does not ask for a key");
    let page = api.browse_board("GET", "/", &[("cookie", &one), HTML]).await;
    assert!(page.status == 303 && location(&page).starts_with(DASHBOARD), "{}", page.status);
    assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &other)]).await.status, 200);
    second.post("/sign-out-everywhere", &[]).await;
    assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &other)]).await.status, 401);
    // A ticket of a session that has ended meanwhile gets in, and sees nothing.
    let third = Browser::signed_in(&api, "root").await;
    let (answer, path) = sent_to_the_dashboard(&api).await;
    let ticket = ticket(&third, &path).await;
    third.post("/sign-out", &[]).await;
    let late = sent(&api.browse_board("GET", &ticket, &[("cookie", &answer)]).await, VISIT);
    assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &late)]).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn the_board_is_shut_to_who_does_not_run_the_instance() {
    let api = started().await;
    api.join("anna", Role::OrganisationAdmin).await;
    let (_, path) = sent_to_the_dashboard(&api).await;
    for path in ["/admin/board", path.as_str()] {
        let refused = Browser::signed_in(&api, "anna").await.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(text(&refused).contains("for those who run the instance"), "{}", refused.body);
        assert!(!refused.headers.contains_key("refresh"), "{path}");
    }
    // Somebody who came in and has lost the role since.
    let rosa = api.join("rosa", Role::InstanceAdmin).await;
    let visit = entered(&api, &Browser::signed_in(&api, "rosa").await).await;
    assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &visit)]).await.status, 200);
    let mut conn = api.database.pool().get().await.unwrap();
    let user = rosa.uid.parse().unwrap();
    organisation::set_member(&mut conn, api.organisation, user, Role::OrganisationAdmin).await.unwrap();
    drop(conn);
    let page = api.browse_board("GET", "/", &[("cookie", &visit), HTML]).await;
    assert_eq!(page.status, 403);
    assert!(text(&page).contains("for those who run the instance") && text(&page).contains(DASHBOARD), "{}", page.body);
    assert_eq!(api.browse_board("GET", "/api/v1/queues", &[("cookie", &visit)]).await.status, 403);
    api.close().await;
}

#[tokio::test]
async fn the_way_leads_nowhere_else() {
    let api = started().await;
    let browser = Browser::signed_in(&api, "root").await;
    let evil = "https://evil.example";
    let begun = api.browse_board("GET", "//evil.example/", &[HTML, ("host", "evil.example")]).await;
    assert!(location(&begun).starts_with(DASHBOARD), "{}", location(&begun));
    for challenge in ["", "x", evil, &"z".repeat(64), &format!("{}&to={evil}", "0".repeat(63))] {
        assert_eq!(led_on(&browser, &format!("/admin/board?challenge={challenge}")).await, format!("{BOARD}/"));
    }
    let (answer, path) = sent_to_the_dashboard(&api).await;
    let to = led_on(&browser, &format!("{path}&board={evil}&next={evil}")).await;
    let path = to.strip_prefix(BOARD).unwrap_or_else(|| panic!("{to}"));
    let came = api.browse_board("GET", &format!("{path}&next={evil}"), &[("cookie", &answer)]).await;
    assert_eq!((came.status, location(&came).as_str()), (303, "/"));
    api.close().await;
}

#[tokio::test]
async fn a_visit_reads_and_a_key_still_opens() {
    let api = started().await;
    let visit = entered(&api, &Browser::signed_in(&api, "root").await).await;
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        for path in ["/api/v1/queues/create_event/tasks", "/", "/enter"] {
            let answer = api.browse_board(method, path, &[("cookie", &visit), ("origin", BOARD)]).await;
            assert!([404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
        }
    }
    assert!(api.queued_events().await.is_empty());
    let foreign = [("cookie", visit.as_str()), ("origin", "https://evil.example")];
    let read = api.browse_board("GET", "/api/v1/queues", &foreign).await;
    assert!(!read.headers.contains_key("access-control-allow-origin"));
    assert_eq!(read.headers["cross-origin-resource-policy"], "same-origin");
    let framed = api.browse_board("GET", "/", &[("cookie", &visit), HTML]).await;
    assert_eq!(framed.headers["content-security-policy"], "frame-ancestors 'none'");

    let key = Some(api.instance_key.as_str());
    assert_eq!(api.ask_board("GET", "/api/v1/queues", key).await.status, 200);
    let asked = api.browse_board("GET", "/key", &[HTML, ("sec-fetch-mode", "navigate")]).await;
    assert!(asked.status == 401 && asked.headers.contains_key("www-authenticate"), "{}", asked.status);
    assert_eq!(location(&api.ask_board("GET", "/key", key).await), "/");
    api.close().await;
}
