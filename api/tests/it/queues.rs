//! Queues of jobs, for those who run the instance and nobody else.

use posthouse_jobs::{Job as _, ReplayEvent};
use posthouse_schema::{
    audit_log::{Audience, AuditEntry, AuditFilter},
    page::{Direction, PageRequest, Sort},
};
use serde_json::json;

use crate::harness::Api;

async fn dead_letter(api: &Api, id: &str) {
    api.queues.bury(ReplayEvent::QUEUE, (id, "the database is away"), &json!({"to": "<script>"})).await;
}

#[tokio::test]
async fn queues_are_looked_after_by_the_api_and_each_change_is_recorded() {
    let api = Api::start().await;
    let ask = async |method: &str, rest: &str| {
        api.ui(method, &format!("admin/queues{rest}"), Some(&api.instance_key), None).await
    };
    let queue = format!("/{}", ReplayEvent::QUEUE);
    for id in ["a", "b", "c"] {
        dead_letter(&api, id).await;
    }
    let listed = ask("GET", "").await;
    let own = listed.data().as_array().unwrap().iter().find(|row| row["name"] == ReplayEvent::QUEUE).unwrap();
    assert_eq!((&own["dead"], &own["is_paused"]), (&json!(3), &json!(false)));
    assert_eq!(ask("PUT", &format!("{queue}/pause")).await.data()["is_paused"], true);
    assert_eq!(ask("GET", &queue).await.data()["is_paused"], true);
    assert_eq!(ask("PUT", &format!("{queue}/resume")).await.data()["is_paused"], false);
    let letters = ask("GET", &format!("{queue}/dead-letters?offset=1&limit=1")).await;
    assert_eq!((&letters.data()["total"], letters.data()["content"].as_array().unwrap().len()), (&json!(3), 1));
    assert_eq!(ask("GET", &format!("{queue}/dead-letters?limit=201")).await.status, 400);
    let letter = ask("GET", &format!("{queue}/dead-letters/a")).await;
    assert_eq!((&letter.data()["tries"], &letter.data()["payload"]), (&json!(3), &json!(r#"{"to":"<script>"}"#)));
    assert_eq!(ask("POST", &format!("{queue}/dead-letters/a/redrive")).await.data()["num"], 1);
    assert_eq!(ask("POST", &format!("{queue}/dead-letters/a/redrive")).await.status, 404);
    assert_eq!(ask("DELETE", &format!("{queue}/dead-letters/b")).await.status, 200);
    assert_eq!(ask("POST", &format!("{queue}/dead-letters/redrive")).await.data()["num"], 1);
    assert_eq!(ask("DELETE", &format!("{queue}/dead-letters")).await.data()["num"], 0);
    assert_eq!(ask("GET", "/nothing").await.status, 404);

    let mut conn = api.database.pool().get().await.unwrap();
    let page = PageRequest { per_page: 50, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    let rows = AuditEntry::list(&mut conn, Audience::Instance, &AuditFilter::default(), &page).await.unwrap().rows;
    let own: Vec<&AuditEntry> = rows.iter().filter(|row| row.action.starts_with("queue.")).collect();
    let actions: Vec<&str> = own.iter().map(|row| row.action.as_str()).collect();
    let expected =
        ["pause", "resume", "redrive", "discard", "redrive_many", "purge"].map(|verb| format!("queue.{verb}"));
    assert_eq!(actions, expected);
    assert!(own.iter().all(|row| row.is_confirmed && row.changes["queue"]["after"] == ReplayEvent::QUEUE));
    api.close().await;
}

#[tokio::test]
async fn nobody_else_looks_after_queues() {
    let api = Api::start().await;
    dead_letter(&api, "a").await;
    let queue = format!("admin/queues/{}", ReplayEvent::QUEUE);
    for (method, path) in [
        ("GET", "admin/queues".to_string()),
        ("GET", queue.clone()),
        ("PUT", format!("{queue}/pause")),
        ("PUT", format!("{queue}/resume")),
        ("GET", format!("{queue}/dead-letters")),
        ("DELETE", format!("{queue}/dead-letters")),
        ("POST", format!("{queue}/dead-letters/redrive")),
        ("GET", format!("{queue}/dead-letters/a")),
        ("DELETE", format!("{queue}/dead-letters/a")),
        ("POST", format!("{queue}/dead-letters/a/redrive")),
    ] {
        for (key, status) in [(&api.personal_key, 403), (&api.key, 403)] {
            assert_eq!(api.ui(method, &path, Some(key), None).await.status, status, "{method} {path}");
        }
        assert_eq!(api.ui(method, &path, None, None).await.status, 401, "{method} {path}");
    }
    let view = api.queues().view(ReplayEvent::QUEUE);
    assert_eq!((view.counts().await.unwrap().dead, view.is_paused().await.unwrap()), (1, false));
    api.close().await;
}
