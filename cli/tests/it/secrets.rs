//! Secrets at rest through every role: what the API is told is not found in the database, keys are changed while events
//! flow, and a worker without the key loses nothing.

use std::{collections::BTreeSet, path::Path, time::Duration};

use posthouse_e2e::{
    client::Client,
    database::Database,
    deployment::{Deployment, Shared},
    ground::Ground,
    receiver::Verdict,
    services::Durability,
};
use serde_json::{Value, json};

use crate::desk::{bare, run};

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:HxscHRoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAB4=";
/// What every secret of the test holds.
const MARK: &str = "hunter2-of-the-operator";
const PATIENCE: Duration = Duration::from_secs(60);

/// Every row of every table, as text; bytes are in hexadecimal.
async fn dump(database: &Database) -> String {
    let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let mut all = String::new();
    for table in database.client.query(tables, &[]).await.unwrap() {
        let rows = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {} t", table.get::<_, String>(0));
        all.push_str(&database.client.query_one(&rows, &[]).await.unwrap().get::<_, String>(0));
    }
    all
}

fn with_keys(shared: &Shared, name: &str, keys: &[&str]) -> Shared {
    let flags = if keys.is_empty() { Vec::new() } else { vec!["--secrets-key".into(), keys.join(",")] };
    let extra = ["api", "worker", "scheduler", "ingest"].map(|role| (role, flags.clone())).to_vec();
    let logs = shared.logs.join(name);
    std::fs::create_dir_all(&logs).unwrap();
    Shared { extra, logs, ..shared.clone() }
}

async fn start(ground: &Ground, name: &str, keys: &[&str]) -> (Deployment, Client) {
    let deployment = Deployment::start(&with_keys(&ground.shared, name, keys)).await.unwrap();
    let url = format!("http://{}", deployment.api);
    (deployment, Client::new(&url, &ground.tenant.project_id, &ground.tenant.api_key).unwrap())
}

/// Runs the tool with these keys, and expects this exit code.
async fn tool(ground: &Ground, args: &[&str], keys: &[&str], code: i32) -> Value {
    let mut command = bare(&[args, &["--json"]].concat());
    command.env("POSTHOUSE_DATABASE_URL", ground.stage.database_url());
    if !keys.is_empty() {
        command.env("POSTHOUSE_SECRETS_KEY", keys.join("\n"));
    }
    let output = run(command, "").await;
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Makes everything that can hold a secret, each with the mark in it.
async fn tell_secrets(client: &Client) -> String {
    for authentication in [
        json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": MARK}}),
        json!({"type": "api_key", "api_key": {"header_name": "x-key", "header_value": MARK}}),
        json!({"type": "oauth2", "oauth2": {"url": "https://id.example.com/token", "client_id": "c",
            "authentication_type": "shared_secret", "client_secret": MARK, "grant_type": "client_credentials"}}),
    ] {
        let endpoint = json!({"name": "e", "url": "https://hooks.example.com", "secret": MARK, "authentication": authentication,
            "slack_webhook_url": format!("https://slack.example/{MARK}"), "teams_webhook_url": format!("https://teams.example/{MARK}")});
        client.create("endpoints", &endpoint).await.unwrap();
    }
    for source in [
        json!({"name": "s", "type": "http", "verifier": {"type": "hmac", "hmac":
            {"hash": "SHA256", "encoding": "hex", "header": "x-signature", "secret": MARK}}}),
        json!({"name": "s", "type": "pub_sub", "pub_sub": {"type": "mqtt", "workers": 1, "mqtt": {"host": "mq.example.com",
            "topic": "t", "auth": {"username": "u", "password": MARK}}}}),
    ] {
        client.create("sources", &source).await.unwrap();
    }
    let link = json!({"name": "l", "owner_id": "owner", "auth_type": "static_token"});
    let link = client.post("portal-links", &link).await.unwrap().data().unwrap();
    link["token"].as_str().unwrap().to_owned()
}

/// What deliveries of this status say; those that have nothing to say leave it out.
async fn described(client: &Client, status: &str) -> BTreeSet<String> {
    let rows = client.list("eventdeliveries").await.unwrap();
    let of_status = rows.iter().filter(|row| row["status"] == status);
    of_status.map(|row| row["description"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many different events came to the path; every signature must hold.
fn received(ground: &Ground, path: &str) -> usize {
    let ledger = ground.receiver.ledger();
    let all: Vec<_> = ledger.requests(path).collect();
    assert!(all.iter().all(|request| request.verdict == Verdict::Good), "a signature does not hold");
    all.iter().map(|request| &request.webhook_id).collect::<BTreeSet<_>>().len()
}

async fn send(client: &Client, endpoint: &str, number: usize) {
    let event = json!({"endpoint_id": endpoint, "event_type": "order.paid", "data": {"number": number}});
    client.post("events", &event).await.unwrap().data().unwrap();
}

#[tokio::test]
async fn secrets_are_sealed_keys_are_changed_under_way_and_a_lost_key_only_delays() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.posthouse");
    let ground = Ground::start(&root, "it-secrets", Durability::Relaxed).await.unwrap();
    let database = Database::open(ground.stage.database_url()).await.unwrap();
    let config =
        json!({"meta_event": {"is_enabled": true, "type": "http", "url": "https://m.example.com", "secret": MARK}});
    let project = ["bootstrap", "--organisation", "o", "--project", "p", "--project-config", &config.to_string()];
    tool(&ground, &project, &[OLD], 0).await;

    let (deployment, client) = start(&ground, "both", &[OLD, NEW]).await;
    let endpoint = ground.endpoint(&client, "one").await.unwrap();
    let token = tell_secrets(&client).await;
    let text = dump(&database).await;
    for secret in ["secret of one".to_owned(), MARK.to_owned(), hex(MARK), token.clone(), hex(&token)] {
        assert!(!text.contains(&secret), "{secret} is in the database");
    }

    // As a version before had written them.
    let plain = tool(&ground, &["rotate-key"], &["none", OLD, NEW], 0).await;
    assert_eq!((plain["left"].as_array().unwrap().len(), &plain["left"][0]["key"]), (1, &Value::Null), "{plain}");
    let log = tool(&ground, &["audit-log", "--action", "instance.rotate_key"], &[], 0).await;
    let line = &log["changes"][0];
    assert_eq!((&line["actor_kind"], &line["is_confirmed"]), (&json!("tool"), &json!(true)), "{log}");
    assert_eq!(line["changes"]["sealed"]["after"], plain["sealed"], "{log}");
    let text = dump(&database).await;
    assert!(text.contains("secret of one") && text.contains(MARK) && text.contains(&token));
    let shown = client.get(&format!("endpoints/{endpoint}")).await.unwrap().data().unwrap();
    assert_eq!(shown["secrets"][0]["value"], "secret of one", "what is not sealed yet is read");
    send(&client, &endpoint, 0).await;
    until("a delivery", async || received(&ground, "/ok/one") == 1).await;

    // Keys are changed while events flow.
    let dry = tool(&ground, &["rotate-key", "--dry-run"], &[NEW, OLD], 0).await;
    assert!(dry["left"].as_array().unwrap().iter().all(|left| left["key"].is_null() && left["is_current"] == false));
    let flowing = async {
        for number in 1..=100 {
            send(&client, &endpoint, number).await;
        }
    };
    let (done, ()) = tokio::join!(tool(&ground, &["rotate-key", "--batch", "2"], &[NEW, OLD], 0), flowing);
    assert_eq!(done["left"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!((&done["left"][0]["key"], done["unreadable"].as_object().unwrap().len()), (&json!("new"), 0));
    until("all deliveries", async || received(&ground, "/ok/one") == 101).await;
    let text = dump(&database).await;
    assert!(!text.contains("secret of one") && !text.contains(MARK) && !text.contains(&token));
    deployment.stop().await.unwrap();

    // Somebody starts the roles without the key.
    let (keyless, client) = start(&ground, "keyless", &[OLD]).await;
    send(&client, &endpoint, 101).await;
    let says = |text: &String| text.contains("sealed by the key new") && text.contains("POSTHOUSE_SECRETS_KEY");
    until("a delivery that says what is missing", async || described(&client, "Scheduled").await.iter().any(says))
        .await;
    let shown = client.get(&format!("endpoints/{endpoint}")).await.unwrap().data().unwrap();
    assert_eq!((shown["name"].as_str(), shown["secrets"][0]["value"].as_str()), (Some("one"), Some("")));
    let change = client.post(&format!("endpoints/{endpoint}/activate"), &json!({})).await.unwrap();
    assert_eq!(change.status, 400, "it is active, and can be asked: {}", change.body);
    let other = ground.endpoint(&client, "two").await.unwrap();
    send(&client, &other, 0).await;
    until("a delivery to another endpoint", async || received(&ground, "/ok/two") == 1).await;
    assert_eq!(received(&ground, "/ok/one"), 101);
    let report = tool(&ground, &["doctor"], &[OLD], 1).await;
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "secrets-at-rest").unwrap();
    assert!(check["verdict"] == "failed" && check["detail"].as_str().unwrap().contains("new"), "{check}");
    keyless.stop().await.unwrap();
    let (deployment, _client) = start(&ground, "again", &[NEW, OLD]).await;
    until("the delivery that waited", async || received(&ground, "/ok/one") == 102).await;
    deployment.stop().await.unwrap();
    database.close().await.unwrap();
    ground.stage.stop().await.unwrap();
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
