//! Pages of those who run the instance, and the audit log.

use std::time::Duration;

use chrono::Utc;
use posthouse_jobs::{Job as _, ReplayEvent};
use posthouse_schema::{
    lease,
    schedule::{self, NewSchedule},
    words::Role,
};
use serde_json::json;

use crate::{
    dashboard::{Browser, HTML, location},
    dashboard_audit::{QUEUES, SCHEDULES, assert_left},
    harness::Api,
};

async fn announced(api: &Api) {
    let mut conn = api.database.pool().get().await.unwrap();
    let token = lease::acquire(&mut conn, "scheduler", "s-1", Duration::from_secs(60)).await.unwrap().unwrap();
    let new = NewSchedule {
        name: "purge_expired",
        cron: "0 10 * * * *".into(),
        catch_up_max: 1,
        jitter_seconds: 30,
        settings: json!({"kept": "<b>30</b>"}),
        next_tick_at: Some(Utc::now()),
    };
    assert!(schedule::announce(&mut conn, &[new], "s-1", ("scheduler", token)).await.unwrap());
}

#[tokio::test]
async fn schedules_are_run_paused_and_resumed() {
    let api = Api::start().await;
    api.join("root", Role::InstanceAdmin).await;
    let browser = Browser::signed_in(&api, "root").await;
    assert!(browser.page("/projects").await.contains("href=\"/admin/schedules\""));
    assert_eq!(location(&browser.get("/admin").await), "/admin/schedules");
    assert!(browser.page("/admin/schedules").await.contains("None has been active yet"));
    announced(&api).await;
    let own = "/admin/schedules/purge_expired";
    assert!(browser.page("/admin/schedules").await.contains(own));
    let run = browser.post(&format!("{own}/run"), &[]).await;
    assert_eq!(location(&run), own, "{}", run.body);
    let shown = browser.page(own).await;
    assert!(shown.contains("Waits for a scheduler") && shown.contains("&lt;b&gt;30"), "{shown}");
    browser.post(&format!("{own}/pause"), &[]).await;
    let paused = browser.page("/admin/schedules").await;
    assert!(paused.contains("Paused") && paused.contains(&format!("{own}/resume")), "{paused}");
    browser.post(&format!("{own}/resume"), &[]).await;
    assert!(!browser.page(own).await.contains("Paused"));
    assert_eq!(browser.get("/admin/schedules/nothing").await.status, 404);
    assert_eq!(browser.get("/admin/nothing").await.status, 404);
    assert_left(&api, SCHEDULES).await;
    api.close().await;
}

async fn dead_letter(api: &Api, id: &str) {
    api.queues.bury(ReplayEvent::QUEUE, (id, "the database <server> is away"), &json!({"to": "<script>"})).await;
}

#[tokio::test]
async fn queues_are_paused_and_their_dead_letters_looked_after() {
    let api = Api::start().await;
    api.join("root", Role::InstanceAdmin).await;
    let browser = Browser::signed_in(&api, "root").await;
    let list = browser.page("/admin/queues").await;
    assert!(posthouse_jobs::QUEUES.iter().all(|name| list.contains(name)), "{list}");
    let own = format!("/admin/queues/{}", ReplayEvent::QUEUE);
    assert!(browser.page(&own).await.contains("No dead letters"));
    browser.post(&format!("{own}/pause"), &[]).await;
    let view = api.queues().view(ReplayEvent::QUEUE);
    assert!(view.is_paused().await.unwrap());
    browser.post(&format!("{own}/resume"), &[]).await;
    assert!(!view.is_paused().await.unwrap());

    for id in ["a", "b", "c", "d"] {
        dead_letter(&api, id).await;
    }
    let shown = browser.page(&own).await;
    assert!(shown.contains("the database &lt;server&gt; is away") && shown.contains("4 dead letters"), "{shown}");
    let one = browser.page(&format!("{own}/a")).await;
    assert!(one.contains("&lt;script&gt;") && !one.contains("<script>\""), "{one}");
    let discarded = browser.post(&format!("{own}/a/discard"), &[]).await;
    assert_eq!(location(&discarded), own, "{}", discarded.body);
    assert_eq!(browser.get(&format!("{own}/a")).await.status, 404);
    browser.post(&format!("{own}/b/redrive"), &[]).await;
    assert_eq!((view.counts().await.unwrap().ready, view.counts().await.unwrap().dead), (1, 2));
    browser.post(&format!("{own}/redrive"), &[]).await;
    assert_eq!((view.counts().await.unwrap().ready, view.counts().await.unwrap().dead), (3, 0));
    dead_letter(&api, "e").await;
    browser.post(&format!("{own}/purge"), &[]).await;
    assert_eq!(view.counts().await.unwrap().dead, 0);
    for path in ["/admin/queues/nothing", "/admin/queues/replay_event/nothing"] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(browser.post("/admin/queues/nothing/pause", &[]).await.status, 404);
    assert_left(&api, QUEUES).await;
    api.close().await;
}

#[tokio::test]
async fn nobody_else_gets_to_the_pages_of_the_instance() {
    let api = Api::start().await;
    announced(&api).await;
    dead_letter(&api, "a").await;
    let queue = format!("/admin/queues/{}", ReplayEvent::QUEUE);
    // Whoever has an organisation decides on it, and on nothing beyond.
    api.sign_up("olga").await;
    api.join("anna", Role::OrganisationAdmin).await;
    for name in ["olga", "anna"] {
        let browser = Browser::signed_in(&api, name).await;
        assert!(!browser.page("/projects").await.contains("/admin/"), "{name}");
        for path in ["/admin/schedules", "/admin/schedules/purge_expired", "/admin/queues", &queue] {
            assert_eq!(browser.get(path).await.status, 403, "{name}: {path}");
        }
        assert_eq!(browser.get(&format!("{queue}/a")).await.status, 403, "{name}");
        for path in [
            "/admin/schedules/purge_expired/run",
            "/admin/schedules/purge_expired/pause",
            "/admin/schedules/purge_expired/resume",
            &format!("{queue}/pause"),
            &format!("{queue}/resume"),
            &format!("{queue}/redrive"),
            &format!("{queue}/purge"),
            &format!("{queue}/a/redrive"),
            &format!("{queue}/a/discard"),
        ] {
            assert_eq!(browser.post(path, &[]).await.status, 403, "{name}: {path}");
        }
        let access = api.ui("GET", "admin/queues", Some(&api.personal_key), None).await;
        assert_eq!(access.status, 403);
    }
    assert_eq!(api.queues().view(ReplayEvent::QUEUE).counts().await.unwrap().dead, 1);
    let nobody = api.send("GET", "/admin/queues", None, &[HTML], None).await;
    assert!(nobody.status == 303 && location(&nobody).starts_with("/sign-in"), "{}", nobody.status);
    api.close().await;
}

#[tokio::test]
async fn the_audit_log_shows_who_changed_what() {
    let api = Api::start().await;
    let ada = api.join("ada", Role::OrganisationAdmin).await;
    api.join("viewer", Role::ProjectViewer).await;
    api.sign_up("stranger").await;
    let browser = Browser::signed_in(&api, "ada").await;
    let of_project = format!("/projects/{}/audit-log", api.project);
    let of_organisation = format!("/organisations/{}/audit-log", api.organisation);
    assert!(browser.page(&of_project).await.contains("Nothing was changed"));
    let route = format!("organisations/{}/projects/{}/endpoints", api.organisation, api.project);
    let body = json!({"name": "<b>orders</b>", "url": "https://example.com/hook"});
    let made = api.ui("POST", &route, Some(&ada.access), Some(body)).await.uid();
    let change = json!({"name": "invoices", "url": "https://example.com/hook", "authentication": {"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "s3cret"}}});
    assert_eq!(api.put(&format!("endpoints/{made}"), change).await.status, 202);
    let shown = browser.page(&of_project).await;
    assert!(shown.contains("endpoint.create") && shown.contains("ada@example.com"), "{shown}");
    assert!(shown.contains("&lt;b&gt;orders&lt;/b&gt;") && shown.contains("changed, and not shown"), "{shown}");
    assert!(shown.contains("project key") && !shown.contains("s3cret"), "{shown}");
    let only = browser.page(&format!("{of_project}?action=endpoint.create&actorId={}", ada.uid)).await;
    assert!(only.contains("&lt;b&gt;orders") && !only.contains("invoices"), "{only}");
    let later = browser.page(&format!("{of_project}?startDate=2099-01-01T00:00&endDate=2099-01-02T00:00")).await;
    assert!(later.contains("Nothing was changed"), "{later}");
    let wrong = browser.page(&format!("{of_project}?actorId=nonsense")).await;
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("is not an id"), "{wrong}");
    assert!(browser.page(&of_organisation).await.contains("invoices"));

    let viewer = Browser::signed_in(&api, "viewer").await;
    assert!(!viewer.page(&format!("/projects/{}", api.project)).await.contains("/audit-log"));
    let stranger = Browser::signed_in(&api, "stranger").await;
    for path in [of_project, of_organisation] {
        assert_eq!((viewer.get(&path).await.status, stranger.get(&path).await.status), (403, 404), "{path}");
    }
    api.close().await;
}
