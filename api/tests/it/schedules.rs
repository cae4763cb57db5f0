//! Schedules and what expires, for those who run the instance and nobody else.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use posthouse_schema::{
    ids::EventId,
    lease, partitions,
    schedule::{self, NewSchedule},
    words::{DeliveryStatus, Role},
};
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

/// What the scheduler says at the beginning of its term.
async fn announced(api: &Api) {
    let mut conn = api.database.pool().get().await.unwrap();
    let token = lease::acquire(&mut conn, "scheduler", "s-1", Duration::from_secs(60)).await.unwrap().unwrap();
    let new = |name, settings| NewSchedule {
        name,
        cron: "0 10 * * * *".into(),
        catch_up_max: 1,
        jitter_seconds: 30,
        settings,
        next_tick_at: Some(Utc::now()),
    };
    let all = [new("purge_expired", json!({"retention_days": 30})), new("sweep_deliveries", json!({}))];
    assert!(schedule::announce(&mut conn, &all, "s-1", ("scheduler", token)).await.unwrap());
}

async fn asked(api: &Api, method: &str, rest: &str) -> Answer {
    api.ui(method, &format!("admin/{rest}"), Some(&api.instance_key), None).await
}

#[tokio::test]
async fn a_schedule_is_run_paused_and_resumed() {
    let api = Api::start().await;
    assert_eq!(asked(&api, "GET", "schedules").await.data(), &json!([]), "no scheduler was active yet");
    announced(&api).await;
    let listed = asked(&api, "GET", "schedules").await;
    let names: Vec<&str> = listed.data().as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["purge_expired", "sweep_deliveries"]);
    let purge = &listed.data()[0];
    assert_eq!((&purge["cron"], &purge["catch_up_max"]), (&json!("0 10 * * * *"), &json!(1)));
    assert_eq!((&purge["settings"], &purge["scheduler"]), (&json!({"retention_days": 30}), &json!("s-1")));
    assert!(purge["next_run_at"].is_string() && purge["last_run"].is_null() && purge["is_paused"] == json!(false));

    let run = asked(&api, "POST", "schedules/purge_expired/run").await;
    assert_eq!((run.status, run.message()), (202, "Run of the schedule requested"), "{}", run.body);
    let again = asked(&api, "POST", "schedules/purge_expired/run").await;
    assert_eq!(again.data(), run.data(), "one that waits is not asked for twice");
    let tick = run.data()["tick_at"].clone();
    let shown = asked(&api, "GET", "schedules/purge_expired").await;
    let waiting = &shown.data()["runs"][0];
    assert_eq!((&waiting["tick_at"], &waiting["status"]), (&tick, &json!("waiting")));
    assert!(waiting["requested_by"].as_str().is_some_and(|user| user.len() == 26), "who asked for it: {waiting}");
    let mut conn = api.database.pool().get().await.unwrap();
    let at = tick.as_str().unwrap().parse().unwrap();
    schedule::mark_enqueued(&mut conn, "purge_expired", at).await.unwrap();
    schedule::begin_run(&mut conn, ("purge_expired", at), "w-1").await.unwrap();
    schedule::end_run(&mut conn, ("purge_expired", at), Ok(&json!({"rows": {}}))).await.unwrap();
    let shown = asked(&api, "GET", "schedules/purge_expired").await;
    let last = &shown.data()["last_run"];
    assert_eq!((&last["status"], &last["worker"], &last["tries"]), (&json!("succeeded"), &json!("w-1"), &json!(1)));
    assert!(last["duration_ms"].is_i64() && last["result"] == json!({"rows": {}}) && last["error"].is_null());

    let paused = asked(&api, "PUT", "schedules/purge_expired/pause").await;
    assert_eq!((paused.status, &paused.data()["is_paused"]), (200, &json!(true)), "{}", paused.body);
    assert!(paused.data()["paused_by"].is_string() && paused.data()["next_run_at"].is_null());
    announced(&api).await;
    let listed = asked(&api, "GET", "schedules").await;
    assert_eq!(listed.data()[0]["is_paused"], json!(true), "whichever scheduler is active");
    assert_eq!(asked(&api, "POST", "schedules/purge_expired/run").await.status, 202, "paused or not");
    let page = api.ask_board("GET", "/schedules", Some(&api.instance_key)).await;
    assert_eq!((page.status, page.headers["content-type"].as_bytes()), (200, b"text/html; charset=utf-8".as_slice()));
    for (key, status) in [(&api.personal_key, 403), (&api.key, 401)] {
        assert_eq!(api.ask_board("GET", "/schedules", Some(key)).await.status, status);
    }
    let resumed = asked(&api, "PUT", "schedules/purge_expired/resume").await;
    assert_eq!((resumed.status, &resumed.data()["is_paused"]), (200, &json!(false)), "{}", resumed.body);
    assert!(resumed.data()["resumed_by"].is_string() && resumed.data()["next_run_at"].is_string());
    for (method, rest) in [("GET", ""), ("POST", "/run"), ("PUT", "/pause"), ("PUT", "/resume")] {
        let unknown = asked(&api, method, &format!("schedules/nothing{rest}")).await;
        assert_eq!((unknown.status, unknown.message()), (404, "schedule not found"), "{method} {rest}");
    }
    api.close().await;
}

#[tokio::test]
async fn what_a_purge_would_take_is_told() {
    let api = Api::start().await;
    let unknown = asked(&api, "GET", "purge/preview").await;
    assert_eq!((unknown.status, unknown.message()), (400, "no scheduler has said yet how long anything is kept"));
    let configuration = async || api.ui("GET", "configuration", Some(&api.instance_key), None).await.data()[0].clone();
    assert_eq!(configuration().await["retention_policy"], Value::Null);
    announced(&api).await;
    let policy = json!({"policy": "720h", "retention_policy_enabled": true});
    assert_eq!(configuration().await["retention_policy"], policy);
    let endpoint = api.endpoint("one").await;
    let mut conn = api.database.pool().get().await.unwrap();
    for days in [5, 40] {
        let id = EventId::first_at(Utc::now() - TimeDelta::days(days));
        let day = id.created_at().date_naive();
        partitions::make_ahead(&mut conn, day, day - chrono::Days::new(partitions::DAYS_AHEAD)).await.unwrap();
        api.stored_as(id, &endpoint, "", DeliveryStatus::Success).await;
    }
    let changed = api.put("", json!({"name": "orders", "config": {"retention_policy": {"payloads": "72h"}}})).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
    let preview = asked(&api, "GET", "purge/preview").await;
    assert_eq!(preview.status, 200, "{}", preview.body);
    let data = preview.data();
    let rows: Vec<_> = data["expired"].as_array().unwrap().iter().map(|row| (&row["table"], &row["rows"])).collect();
    let (one, project) = (json!(1), json!(api.project));
    assert!(rows.contains(&(&json!("events"), &one)) && rows.contains(&(&json!("event_deliveries"), &one)), "{data}");
    assert!(rows.contains(&(&json!("payloads"), &json!(2))), "{data}");
    assert!(data["expired"].as_array().unwrap().iter().all(|row| row["project_id"] == project));
    assert_eq!(data["projects"][0]["project_id"], project);
    assert!(data["projects"][0]["payloads"].is_string() && data["kept_since"]["payloads"].is_null());
    assert_eq!(data["partitions"].as_array().unwrap().len(), 4, "a day of each table: {data}");
    api.close().await;
}

#[tokio::test]
async fn nobody_else_gets_there() {
    let api = Api::start().await;
    announced(&api).await;
    let admin = api.join("ada", Role::OrganisationAdmin).await;
    for (method, rest) in [
        ("GET", "schedules"),
        ("GET", "schedules/purge_expired"),
        ("POST", "schedules/purge_expired/run"),
        ("PUT", "schedules/purge_expired/pause"),
        ("PUT", "schedules/purge_expired/resume"),
        ("GET", "purge/preview"),
    ] {
        for key in [&api.personal_key, &admin.access, &api.key] {
            let refused = api.ui(method, &format!("admin/{rest}"), Some(key), None).await;
            assert_eq!((refused.status, refused.message()), (403, "Unauthorized"), "{method} {rest}");
        }
        assert_eq!(api.ui(method, &format!("admin/{rest}"), None, None).await.status, 401, "{method} {rest}");
    }
    let shown = asked(&api, "GET", "schedules/purge_expired").await;
    assert_eq!((&shown.data()["is_paused"], &shown.data()["runs"]), (&json!(false), &json!([])));
    api.close().await;
}

#[tokio::test]
async fn an_event_whose_data_has_expired_is_not_sent_again() {
    let api = Api::start().await;
    let endpoint = api.endpoint("one").await;
    let (event, delivery) = api.stored(&endpoint, "", DeliveryStatus::Failure).await;
    api.database.run("UPDATE events SET payload = ''").await;
    let shown = api.get(&format!("events/{event}")).await;
    assert_eq!((shown.status, &shown.data()["data"], &shown.data()["raw"]), (200, &Value::Null, &json!("")));
    for path in [format!("events/{event}/replay"), format!("eventdeliveries/{delivery}/resend")] {
        let refused = api.put(&path, json!({})).await;
        assert_eq!((refused.status, refused.message()), (400, "the event's data has expired"), "{path}");
    }
    api.close().await;
}
