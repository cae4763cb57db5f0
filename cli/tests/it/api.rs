//! The commands that speak to the API, one after the other on one deployment: starting one takes longer than all of them.

use std::os::unix::fs::MetadataExt as _;

use posthouse_e2e::{ports, receiver::Receiver};
use serde_json::{Value, json};

use crate::desk::{Desk, bare, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_used_from_a_shell() {
    let desk = Desk::start("cli-api").await;
    a_key_is_stored_for_its_owner_alone(&desk).await;
    what_is_there_is_shown_without_secrets(&desk).await;
    a_broker_is_tried_by_ingest(&desk).await;
    an_event_is_sent_and_waited_for(&desk).await;
    what_is_wrong_is_said_with_the_field(&desk).await;
    deliveries_are_watched_and_forwarded(&desk).await;
    what_failed_is_sent_again(&desk).await;
    a_window_is_replayed(&desk).await;
    endpoints_are_paused_activated_and_deleted(&desk).await;
    what_is_wrong_is_found_and_nothing_else(&desk).await;
    schedules_are_run_paused_and_resumed(&desk).await;
    desk.stop().await;
}

async fn a_key_is_stored_for_its_owner_alone(desk: &Desk) {
    let (url, key) = (desk.url(), desk.ground.tenant.api_key.clone());
    assert!(desk.complaint(&["project", "show"], 2).await.contains("--url"));
    let forged = format!("CO.{}.{}", "a".repeat(16), "b".repeat(64));
    let refused = desk.run_with(&["login", "--url", &url], &forged).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"), "{refused:?}");
    assert!(!desk.profiles_file().exists(), "a key that opens nothing is not stored");
    let stored = desk.run_with(&["login", "--url", &url, "--json"], &format!("{key}\n")).await;
    assert_eq!(stored.status.code(), Some(0), "{stored:?}");
    assert!(!String::from_utf8_lossy(&stored.stdout).contains(&key), "the key is not shown");
    assert_eq!(std::fs::metadata(desk.profiles_file()).unwrap().mode() & 0o777, 0o600);

    let other = ["project", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"];
    assert!(desk.complaint(&other, 1).await.contains(&desk.ground.tenant.project_id), "the key is of another project");
    let personal = ["project", "show", "--api-key", &desk.ground.tenant.personal_key];
    assert!(desk.complaint(&personal, 1).await.contains("--project"));
    let named = ["project", "show", &desk.ground.tenant.project_id, "--api-key", &desk.ground.tenant.personal_key];
    assert_eq!(desk.json(&named, 0).await["uid"], desk.ground.tenant.project_id.as_str());

    let second = ["login", "--url", &url, "--profile", "second"];
    assert_eq!(desk.run_with(&second, &key).await.status.code(), Some(0));
    assert_eq!(desk.run(&["project", "show", "--profile", "second"]).await.status.code(), Some(0));
    assert_eq!(desk.run(&["logout", "--profile", "second"]).await.status.code(), Some(0));
    assert_eq!(desk.run(&["project", "show", "--profile", "second"]).await.status.code(), Some(2));
    let away = run(bare(&["project", "show", "--url", "http://127.0.0.1:1", "--api-key", &key]), "").await;
    let complaint = String::from_utf8_lossy(&away.stderr).to_string();
    assert_eq!(away.status.code(), Some(1));
    assert!(complaint.contains("cannot be reached") && !complaint.contains(&key), "{complaint}");
}

async fn what_is_there_is_shown_without_secrets(desk: &Desk) {
    let projects = desk.json(&["project", "list"], 0).await;
    assert_eq!(projects["projects"][0]["name"], "cli-api");
    let url = format!("http://{}/ok/shown", desk.ground.receiver_address);
    let create = ["endpoint", "create", &url, "--name", "shown", "--owner", "acme", "--event-type", "shown.seen"];
    let made = desk.json(&create, 0).await;
    let secret = made["secrets"][0]["value"].as_str().unwrap();
    assert!(secret.len() > 16, "it is shown when it is made");
    let id = made["uid"].as_str().unwrap();
    for args in [&["endpoint", "list", "--query", "shown"][..], &["endpoint", "show", id]] {
        for output in [desk.run(args).await, desk.run(&[args, &["--json"]].concat()).await] {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains(id) && !text.contains(secret), "{args:?}: {text}");
        }
    }
    let listed = desk.json(&["subscription", "list", "--endpoint", id], 0).await;
    assert_eq!(listed["subscriptions"][0]["filter_config"]["event_types"], json!(["shown.seen"]));
    let more = ["subscription", "create", "--endpoint", id, "--name", "more", "--filter", r#"{"body": {"a": 1}}"#];
    assert!(desk.complaint(&more, 1).await.contains("already exists"), "the project allows one for each endpoint");
    let bare = desk.json(&["endpoint", "create", &url, "--name", "bare", "--secret-type", "ed25519"], 0).await;
    assert!(bare["secrets"][0]["public_key"].as_str().unwrap().starts_with("whpk_"));
    let subscribe = ["subscription", "create", "--endpoint", bare["uid"].as_str().unwrap(), "--name", "all"];
    let all = [&subscribe[..], &["--filter", r#"{"body": {"a": 1}}"#]].concat();
    assert_eq!(desk.json(&all, 0).await["filter_config"]["event_types"], json!(["*"]));
    assert_eq!(desk.json(&["source", "list"], 0).await["sources"], json!([]));
    let paged = desk.json(&["endpoint", "list", "--limit", "1"], 0).await;
    assert_eq!(paged["endpoints"].as_array().unwrap().len(), 1);
}

async fn a_broker_is_tried_by_ingest(desk: &Desk) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.json");
    let settings = r#"{"type": "mqtt", "mqtt": {"host": "127.0.0.1", "port": 1, "topic": "t", "password": "hunter2"}}"#;
    std::fs::write(&file, settings).unwrap();
    let args = ["source", "test", "--settings", file.to_str().unwrap()];
    let result = desk.json(&args, 3).await;
    assert_eq!((&result["is_ok"], &result["failed_step"]), (&json!(false), &json!("connect")), "{result}");
    let output = String::from_utf8(desk.run(&args).await.stdout).unwrap();
    assert!(output.contains("Failed at connect") && output.contains("refused"), "{output}");
    std::fs::write(&file, "hunter2").unwrap();
    let complaint = desk.complaint(&args, 2).await;
    assert!(complaint.contains("not JSON") && !complaint.contains("hunter2"), "{complaint}");
    assert!(desk.complaint(&["source", "test", "01BX5ZZKBKACTAV9WEVGEMMVS0"], 1).await.contains("not found"));
}

async fn an_event_is_sent_and_waited_for(desk: &Desk) {
    let (good, bad) = (desk.endpoint("/ok/a", "a.sent", 3).await, desk.endpoint("/fail/a", "a.lost", 1).await);
    let send = ["send", "--endpoint", &good, "--event-type", "a.sent", "--data-file", "-"];
    let id = String::from_utf8(desk.run_with(&send, "{\"a\": 1}\n").await.stdout).unwrap();
    assert_eq!(id.trim().len(), 26, "nothing but the id: {id}");
    let waited = async |target: &[&str], kind: &str, more: &[&str], code: i32| {
        let send = ["send", "--event-type", kind, "--data", "[1, 2]", "--wait"];
        desk.json(&[&send[..], target, more].concat(), code).await
    };
    let all = ["--broadcast"];
    let delivered = waited(&all, "a.sent", &["--idempotency-key", "k1"], 0).await;
    assert_eq!(
        (&delivered["outcome"], &delivered["deliveries"][0]["status"]),
        (&json!("delivered"), &json!("Success"))
    );
    assert_eq!(delivered["deliveries"][0]["endpoint_id"], good.as_str());
    assert_eq!(waited(&all, "a.sent", &["--idempotency-key", "k1"], 3).await["outcome"], "duplicate");
    let failed = waited(&all, "a.lost", &["--header", "X-Tenant: 7"], 3).await;
    assert_eq!((&failed["outcome"], &failed["deliveries"][0]["endpoint_id"]), (&json!("failed"), &json!(bad)));
    assert_eq!(waited(&all, "a.unheard", &[], 3).await["outcome"], "unmatched");
    let of_owner = waited(&["--owner", "acme"], "shown.seen", &[], 0).await;
    assert_eq!(of_owner["deliveries"].as_array().unwrap().len(), 1);
    desk.endpoint("/fail/slow", "a.slow", 50).await;
    let unfinished = waited(&all, "a.slow", &["--timeout", "1s"], 4).await;
    assert_eq!(unfinished["outcome"], "unfinished");
}

async fn what_is_wrong_is_said_with_the_field(desk: &Desk) {
    let send = ["send", "--event-type", "x", "--data", "1"];
    let unknown = [&send[..], &["--endpoint", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]].concat();
    assert!(desk.complaint(&unknown, 1).await.contains("(400): endpoint not found"));
    let header = [&send[..], &["--broadcast", "--header", "Host: evil"]].concat();
    assert!(desk.complaint(&header, 1).await.contains("custom_headers: Host"));
    let no_json = ["send", "--event-type", "x", "--broadcast", "--data", "{"];
    assert!(desk.complaint(&no_json, 2).await.contains("no JSON"));
    for args in [&send[..], &["retry"], &["replay"], &["retry", "--status", "success"], &["send", "--broadcast"]] {
        assert_eq!(desk.run(args).await.status.code(), Some(2), "{args:?}");
    }
    assert!(desk.complaint(&["endpoint", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], 1).await.contains("404"));
    assert!(desk.complaint(&["endpoint", "create", "ftp://x", "--name", "x"], 1).await.contains("scheme"));
}

async fn deliveries_are_watched_and_forwarded(desk: &Desk) {
    let endpoint = desk.endpoint("/flaky/1/tail", "tail.sent", 5).await;
    let secret = desk.client.get(&format!("endpoints/{endpoint}")).await.unwrap().data().unwrap();
    let secret = secret["secrets"][0]["value"].as_str().unwrap().to_string();
    let (local, address) = (Receiver::default(), ports::free().unwrap());
    local.set_secret("/ok/local", &secret);
    local.listen(address).await.unwrap();
    let mut tail = desk.watching(&["tail", "--endpoint", &endpoint, "--interval", "250ms", "--json"]).await;
    let failing = desk.endpoint("/fail/tail", "tail.failed", 50).await;
    let mut failures =
        desk.watching(&["tail", "--status", "retry", "--event-type", "tail.failed", "--limit", "1"]).await;
    let port = address.port().to_string();
    let listen = ["listen", &port, "--endpoint", &endpoint, "--path", "/ok/local", "--limit", "1", "--json"];
    let mut listen = desk.watching(&listen).await;
    let id = desk.json(&["send", "--broadcast", "--event-type", "tail.sent", "--data", r#"{"é": "<1>"}"#], 0).await;
    let mut seen: Vec<Value> = Vec::new();
    while seen.last().is_none_or(|last| last["status"] != "Success") {
        seen.push(tail.json().await);
    }
    assert!(seen.iter().all(|line| line["event_id"] == id["event_id"]), "{seen:?}");
    assert_eq!(seen.last().unwrap()["attempts"], 2, "{seen:?}");
    assert_eq!(tail.interrupt().await, Some(0));
    desk.json(&["send", "--endpoint", &failing, "--event-type", "tail.failed", "--data", "1"], 0).await;
    let line = failures.line().await.unwrap();
    assert!(line.contains("Retry") && line.contains("tail.failed -> /fail/tail"), "{line}");
    assert_eq!(failures.end().await, Some(0));
    let forwarded = listen.json().await;
    assert_eq!((&forwarded["local"]["status"], &forwarded["event_id"]), (&json!(200), &id["event_id"]));
    assert_eq!(listen.end().await, Some(0));
    let summary = local.ledger().summary("/");
    assert_eq!((summary.requests, summary.unverified), (1, 0), "the local receiver verified it");
}

async fn what_failed_is_sent_again(desk: &Desk) {
    let counted = desk.json(&["retry", "--event-type", "a.lost", "--since", "1h", "--dry-run"], 0).await;
    assert_eq!(counted, json!({"matched": 1, "batch": null}));
    assert!(desk.complaint(&["retry", "--event-type", "a.lost"], 2).await.contains("--yes"));
    let nothing = desk.json(&["retry", "--event-type", "a.sent", "--yes"], 0).await;
    assert_eq!(nothing["matched"], 0);
    let retried = desk.json(&["retry", "--status", "failure", "--event-type", "a.lost", "--yes"], 0).await;
    assert_eq!((&retried["batch"]["status"], &retried["batch"]["done"]), (&json!("completed"), &json!(1)));
    let batch = retried["batch"]["uid"].as_str().unwrap();
    assert_eq!(desk.json(&["batch", "list"], 0).await["batches"][0]["uid"], batch);
    assert!(desk.complaint(&["batch", "cancel", batch], 1).await.contains("cannot be called off"));
    let deliveries = desk.client.get("eventdeliveries?eventType=a.lost").await.unwrap().data().unwrap();
    let delivery = deliveries["content"][0]["uid"].as_str().unwrap().to_string();
    let mut tries = 0;
    // It may still be on its second way.
    while desk.run(&["retry", &delivery]).await.status.code() != Some(0) {
        tries += 1;
        assert!(tries < 300, "it does not fail again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let delivered = desk.client.get("eventdeliveries?eventType=a.sent").await.unwrap().data().unwrap();
    let delivered = delivered["content"][0]["uid"].as_str().unwrap().to_string();
    assert!(desk.complaint(&["retry", &delivered], 1).await.contains("already sent"));
}

async fn a_window_is_replayed(desk: &Desk) {
    let endpoint = desk.endpoint("/ok/replay", "replay.sent", 3).await;
    let sent = desk.json(&["send", "--broadcast", "--event-type", "replay.sent", "--data", "1", "--wait"], 0).await;
    let window = ["replay", "--since", "1h", "--endpoint", &endpoint];
    let tried = desk.json(&[&window[..], &["--dry-run"]].concat(), 0).await;
    assert_eq!((&tried["matched"], &tried["batch"]["report"]["deliveries"]), (&json!(1), &json!(1)), "{tried}");
    assert_eq!(tried["batch"]["report"]["endpoints"][0]["endpoint_id"], endpoint.as_str());
    let replayed = desk.json(&[&window[..], &["--yes"]].concat(), 0).await;
    assert_eq!((&replayed["batch"]["kind"], &replayed["batch"]["done"]), (&json!("replay"), &json!(1)));
    assert_eq!(desk.run(&["replay", sent["event_id"].as_str().unwrap()]).await.status.code(), Some(0));
    let detached = desk.json(&[&window[..], &["--yes", "--detach"]].concat(), 0).await;
    assert_eq!(detached["batch"]["uid"].as_str().unwrap().len(), 26);
}

async fn endpoints_are_paused_activated_and_deleted(desk: &Desk) {
    let id = desk.endpoint("/ok/end", "end.sent", 3).await;
    for (command, status) in [("pause", "paused"), ("pause", "paused"), ("activate", "active"), ("activate", "active")]
    {
        assert_eq!(desk.json(&["endpoint", command, &id], 0).await["status"], status, "{command} twice is once");
    }
    assert!(desk.complaint(&["endpoint", "delete", &id], 2).await.contains("--yes"));
    assert_eq!(desk.run(&["endpoint", "delete", &id, "--yes"]).await.status.code(), Some(0));
    assert_eq!(desk.run(&["endpoint", "show", &id]).await.status.code(), Some(1));
}

/// The private PostgreSQL of tests is told not to care for crashes, there is no key for secrets, and nothing else is wrong with this deployment.
async fn what_is_wrong_is_found_and_nothing_else(desk: &Desk) {
    let egress = format!("http://{}", desk.deployment.egress);
    let (database, redis) = (desk.ground.stage.database_url(), desk.ground.stage.redis_url());
    let args = ["doctor", "--database-url", database, "--redis-url", redis, "--egress-url", &egress];
    let report = desk.json(&args, 1).await;
    let of = |verdict: &str| -> Vec<&str> {
        let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == verdict);
        checks.map(|check| check["name"].as_str().unwrap()).filter(|name| !name.ends_with("-disk")).collect()
    };
    assert_eq!(of("failed"), ["postgres-fsync", "postgres-full-page-writes"], "{report}");
    assert_eq!((of("skipped"), of("warning")), (vec![], vec!["secrets-at-rest"]), "{report}");
    for name in ["redis-eviction", "egress-refuses-metadata", "api-ready", "api-key", "signature-of-delivery"] {
        assert!(of("ok").contains(&name), "{name}: {report}");
    }
    let text = String::from_utf8(desk.run(&args).await.stdout).unwrap();
    assert!(text.contains("to do: set fsync = on") && !text.contains(&desk.ground.tenant.api_key), "{text}");
}

async fn schedules_are_run_paused_and_resumed(desk: &Desk) {
    let (url, key) = (desk.url(), desk.ground.tenant.personal_key.as_str());
    let with = |args: &[&'static str]| [args, &["--url", &url, "--api-key", key]].concat();
    let refused = desk.complaint(&["schedule", "list"], 1).await;
    assert!(refused.contains("Unauthorized"), "a project key runs no instance: {refused}");
    let listed = desk.json(&with(&["schedule", "list"]), 0).await;
    let names: Vec<_> =
        listed["schedules"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["purge_expired", "sweep_deliveries", "audit_ledger", "watch_sources"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let paused = desk.json(&with(&["schedule", "pause", "purge_expired"]), 0).await;
    assert_eq!(paused["is_paused"], true);
    let run = desk.json(&with(&["schedule", "run", "purge_expired", "--wait"]), 0).await;
    assert_eq!((&run["status"], &run["tries"]), (&json!("succeeded"), &json!(1)), "{run}");
    assert!(run["result"]["partitions_dropped"].is_array() && run["worker"].is_string(), "{run}");
    let audit = desk.json(&with(&["schedule", "run", "audit_ledger", "--wait"]), 0).await;
    assert_eq!(audit["result"]["inconsistent"], 0, "{audit}");
    let shown = desk.run(&with(&["schedule", "show", "purge_expired"])).await;
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("paused") && text.contains("succeeded"), "{text}");
    let resumed = desk.json(&with(&["schedule", "resume", "purge_expired"]), 0).await;
    assert_eq!(resumed["is_paused"], false);
    let unknown = desk.complaint(&with(&["schedule", "run", "nothing"]), 1).await;
    assert!(unknown.contains("schedule not found"), "{unknown}");
    let database = desk.ground.stage.database_url();
    let preview = desk.json(&["purge", "--dry-run", "--database-url", database], 0).await;
    assert_eq!((&preview["expired"], &preview["partitions"]), (&json!([]), &json!([])), "{preview}");
    assert_eq!(desk.run(&["purge", "--database-url", database]).await.status.code(), Some(2), "only tried here");
}
