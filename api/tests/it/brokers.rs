//! The settings of message brokers: what is kept, what is hidden, and what is refused by its name.

use std::time::Duration;

use posthouse_jobs::queue::ConnectionTestResult;
use posthouse_schema::source_feed::broker_sources_all_projects;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};

use crate::harness::Api;

fn body(kind: &str, settings: &Value) -> Value {
    json!({"name": "s", "type": "pub_sub", "pub_sub": {"type": kind, "workers": 2, kind: settings}})
}

/// What ingest reads of the project's only source.
async fn stored(api: &Api) -> Value {
    let mut conn = api.database.pool().get().await.unwrap();
    broker_sources_all_projects(&mut conn, None, 10).await.unwrap().remove(0).pub_sub.unwrap()
}

/// Settings with every secret, where the secrets are, and a field to change.
fn kinds() -> [(&'static str, Value, Vec<&'static str>, &'static str); 6] {
    [
        (
            "amqp",
            json!({"schema": "amqps", "host": "mq.example", "port": "5671", "queue": "q", "vhost": "/",
                "auth": {"user": "u", "password": "hunter2"}, "deadLetterExchange": "dlx", "prefetch": 50,
                "bindExchange": {"exchange": "x", "routingKey": "rk"}, "ca_certificate": "pem"}),
            vec!["/auth/password"],
            "queue",
        ),
        (
            "nats",
            json!({"servers": ["nats://n1.example:4222", "tls://n2.example"], "stream": "ORDERS", "subject": "orders.>",
                "durable": "d", "start": "new", "redeliver_after_seconds": 60, "tls": true, "ca_certificate": "pem",
                "auth": {"username": "u", "password": "hunter2", "token": "hunter2", "credentials": "hunter2"}}),
            vec!["/auth/password", "/auth/token", "/auth/credentials"],
            "stream",
        ),
        (
            "redis",
            json!({"host": "r.example", "port": 6380, "database": 3, "stream": "s", "group": "g", "body_field": "event",
                "start": "first", "redeliver_after_seconds": 5, "tls": true, "ca_certificate": "pem",
                "auth": {"username": "u", "password": "hunter2"}}),
            vec!["/auth/password"],
            "stream",
        ),
        (
            "kafka",
            json!({"brokers": ["k1.example:9092", "[::1]:9093"], "topic_name": "t", "consumer_group_id": "g",
                "start": "new", "ca_certificate": "pem",
                "auth": {"type": "scram", "hash": "SHA512", "username": "u", "password": "hunter2", "tls": true}}),
            vec!["/auth/password"],
            "topic_name",
        ),
        (
            "sqs",
            json!({"access_key_id": "AKID", "secret_key": "hunter2", "default_region": "eu-central-1", "queue_name": "q.fifo",
                "session_token": "hunter2", "endpoint": "https://sqs.internal:8443", "redeliver_after_seconds": 60,
                "ca_certificate": "pem"}),
            vec!["/secret_key", "/session_token"],
            "queue_name",
        ),
        (
            "google",
            json!({"project_id": "p-1", "subscription_id": "s", "endpoint": "http://localhost:8085",
                "redeliver_after_seconds": 60, "ca_certificate": "pem",
                "service_account": json!({"type": "service_account", "client_email": "s@p.iam.gserviceaccount.com",
                    "private_key_id": "k", "private_key": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"})
                .to_string()}),
            vec!["/service_account"],
            "subscription_id",
        ),
    ]
}

#[tokio::test]
async fn a_broker_is_kept_whole_and_its_secrets_are_hidden() {
    let api = Api::start().await;
    for (kind, settings, secrets, field) in kinds() {
        let made = api.post("sources", body(kind, &settings)).await;
        assert_eq!(made.status, 201, "{kind}: {}", made.body);
        assert!(!made.body.to_string().contains("hunter2"), "{kind}");
        assert_eq!(stored(&api).await[kind], settings, "{kind}");
        let mut shown = made.data()["pub_sub"].clone();
        for secret in &secrets {
            assert_eq!(shown[kind].pointer(secret), Some(&json!("[REDACTED]")), "{kind}{secret}");
        }
        // Sent back as it was shown, with one change, it keeps the rest.
        shown[kind][field] = json!("other");
        let changed = json!({"name": "s", "type": "pub_sub", "pub_sub": shown});
        let changed = api.put(&format!("sources/{}", made.uid()), changed).await;
        assert_eq!(changed.status, 202, "{kind}: {}", changed.body);
        let mut expected = settings.clone();
        expected[field] = json!("other");
        assert_eq!(stored(&api).await[kind], expected, "{kind}");
        assert_eq!(api.delete(&format!("sources/{}", made.uid())).await.status, 200);
    }
    api.close().await;
}

#[tokio::test]
async fn ingest_is_told_of_each_change() {
    let api = Api::start().await;
    let (queues, changed) = (api.queues.queues(), Notify::new());
    let told = async |what: &str| {
        timeout(Duration::from_secs(30), changed.notified()).await.unwrap_or_else(|_| panic!("{what} is not told"));
    };
    let changing = async {
        told("that it listens").await;
        let [(kind, settings, ..), ..] = kinds();
        let id = api.post("sources", body(kind, &settings)).await.uid();
        told("a new source").await;
        let path = format!("sources/{id}");
        assert_eq!(api.put(&path, body(kind, &settings)).await.status, 202);
        told("a changed source").await;
        assert_eq!(api.delete(&path).await.status, 200);
        told("a source that is gone").await;
        let project = format!("/api/v1/projects/{}", api.project);
        assert_eq!(api.send("DELETE", &project, Some(&api.key), &[], None).await.status, 200);
        told("a project that is gone").await;
        let ada = api.sign_up("ada").await;
        let organisation = format!("organisations/{}", ada.organisation);
        assert_eq!(api.ui("DELETE", &organisation, Some(&ada.access), None).await.status, 200);
        told("an organisation that is gone").await;
    };
    tokio::select! {
        () = changing => {}
        never = queues.hear_source_changes(&changed) => match never {},
    }
    api.close().await;
}

/// The contract shows a binding under other names than those by which it is made.
#[tokio::test]
async fn an_amqp_binding_is_shown_as_the_contract_has_it() {
    let api = Api::start().await;
    let [(_, settings, ..), ..] = kinds();
    let shown = api.post("sources", body("amqp", &settings)).await.data()["pub_sub"]["amqp"].clone();
    assert_eq!((&shown["bindedExchange"], &shown["routingKey"]), (&json!("x"), &json!("rk")));
    assert_eq!((&shown["bindExchange"], &shown["deadLetterExchange"]), (&Value::Null, &json!("dlx")));
    // Without a binding the recorded server fails; here it is left out.
    let least = json!({"host": "mq.example", "queue": "q", "vhost": ""});
    let shown = api.post("sources", body("amqp", &least)).await;
    assert_eq!(shown.status, 201, "{}", shown.body);
    let shown = shown.data()["pub_sub"]["amqp"].clone();
    assert_eq!((&shown["bindedExchange"], &shown["routingKey"]), (&Value::Null, &json!("")));
    assert_eq!(shown["deadLetterExchange"], Value::Null);
    api.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each setting")]
async fn what_is_wrong_with_a_broker_is_named() {
    let api = Api::start().await;
    let [(_, amqp, ..), (_, nats, ..), (_, redis, ..), (_, kafka, ..), (_, sqs, ..), (_, google, ..)] = kinds();
    let long = "n".repeat(256);
    for (kind, settings, path, value, expected) in [
        ("amqp", &amqp, "/host", json!(null), "host: the broker's name or address is required"),
        ("amqp", &amqp, "/host", json!("amqp://mq"), "host: a name or an address without a scheme is expected"),
        ("amqp", &amqp, "/port", json!("x"), "port: a number between 1 and 65535 is expected"),
        ("amqp", &amqp, "/queue", json!(""), "queue: the queue's name is required"),
        ("amqp", &amqp, "/queue", json!(long), "queue: at most 255 bytes are expected"),
        ("amqp", &amqp, "/schema", json!("http"), "schema: amqp or amqps is expected"),
        ("amqp", &amqp, "/prefetch", json!(0), "prefetch: a number between 1 and 5000 is expected"),
        ("amqp", &amqp, "/auth", json!("u:p"), "auth: user and password are expected"),
        ("amqp", &amqp, "/auth/password", json!(7), "auth.password: a text of at most 1024 bytes is expected"),
        ("amqp", &amqp, "/bindExchange/exchange", json!(7), "bindExchange.exchange: a text"),
        ("nats", &nats, "/servers", json!([]), "servers: a list of 1 to 16 URLs is expected"),
        ("nats", &nats, "/servers", json!(["nats://u:p@h"]), "servers: URLs such as nats://host:4222 are expected"),
        ("nats", &nats, "/servers", json!(["h:4222"]), "servers: URLs such as nats://host:4222 are expected"),
        ("nats", &nats, "/stream", json!("a.b"), "stream: a name without spaces"),
        ("nats", &nats, "/durable", json!("a b"), "durable: a name without spaces"),
        ("nats", &nats, "/subject", json!("a..b"), "subject: a subject such as orders.*.paid is expected"),
        ("nats", &nats, "/start", json!("last"), "start: first or new is expected"),
        ("nats", &nats, "/redeliver_after_seconds", json!(1), "redeliver_after_seconds: a number between 2 and 3600"),
        ("nats", &nats, "/auth/token", json!(7), "auth.token: a text of at most 1024 bytes is expected"),
        ("redis", &redis, "/stream", json!(null), "stream: the stream's key is required"),
        ("redis", &redis, "/database", json!(-1), "database: a number between 0 and 65535 is expected"),
        ("redis", &redis, "/tls", json!("yes"), "tls: true or false is expected"),
        ("kafka", &kafka, "/brokers", json!([]), "brokers: a list of 1 to 32 addresses such as host:9092 is expected"),
        ("kafka", &kafka, "/brokers", json!(["u:p@k:9092"]), "brokers: a list of 1 to 32 addresses"),
        ("kafka", &kafka, "/topic_name", json!("a b"), "topic_name: at most 249 letters"),
        ("kafka", &kafka, "/auth/type", json!("gssapi"), "auth.type: plain or scram is expected"),
        ("kafka", &kafka, "/auth/hash", json!("MD5"), "auth.hash: SHA256 or SHA512 is expected"),
        ("kafka", &kafka, "/auth/username", json!(""), "auth.username: the user's name is required"),
        ("kafka", &kafka, "/auth/tls", json!("yes"), "auth.tls: true or false is expected"),
        ("sqs", &sqs, "/access_key_id", json!(""), "access_key_id: the access key's id is required"),
        ("sqs", &sqs, "/secret_key", json!(null), "secret_key: the secret access key is required"),
        (
            "sqs",
            &sqs,
            "/default_region",
            json!("Frankfurt"),
            "default_region: a region such as eu-central-1 is expected",
        ),
        ("sqs", &sqs, "/queue_name", json!("a b"), "queue_name: a queue's name, or its URL"),
        ("sqs", &sqs, "/endpoint", json!("sqs.internal"), "endpoint: a URL such as https://host:443 is expected"),
        ("google", &google, "/project_id", json!(null), "project_id: the project's id is required"),
        (
            "google",
            &google,
            "/subscription_id",
            json!("a/b"),
            "subscription_id: the subscription's id, without its project,",
        ),
        ("google", &google, "/service_account", json!("{}"), "service_account: the JSON key of a service account"),
        (
            "google",
            &google,
            "/redeliver_after_seconds",
            json!(5),
            "redeliver_after_seconds: a number between 10 and 600",
        ),
        ("redis", &redis, "/ca_certificate", json!(1), "ca_certificate: a text of at most 65536 bytes is expected"),
    ] {
        let mut settings = settings.clone();
        *settings.pointer_mut(path).unwrap() = value;
        let answer = api.post("sources", body(kind, &settings)).await;
        assert_eq!(answer.status, 400, "{kind}{path}: {}", answer.body);
        let expected = format!("pub_sub.{kind}.{expected}");
        assert!(answer.message().starts_with(&expected), "{} and not {expected}", answer.message());
    }
    for (source, expected) in [
        (body("amqp", &Value::Null), "pub_sub.amqp: the broker's settings are required"),
        (body("nats", &json!([])), "pub_sub.nats: the broker's settings are expected"),
        (body("smoke", &json!({})), "pub_sub.type: one of mqtt, amqp, kafka, nats, redis, sqs, google is expected"),
    ] {
        let answer = api.post("sources", source).await;
        assert_eq!((answer.status, answer.message()), (400, expected));
    }
    api.close().await;
}

/// An instance of ingest tries it, which the API only asks; what it tries are the settings given, with the secrets stored.
#[tokio::test]
async fn a_connection_is_tried_by_ingest() {
    let api = Api::start().await;
    let mqtt = |password: &str| json!({"type": "mqtt", "mqtt": {"host": "h", "topic": "t", "username": "u", "password": password}});
    let body = json!({"name": "s", "type": "pub_sub", "pub_sub": mqtt("hunter2")});
    let source = api.post("sources", body.clone()).await.body["data"]["uid"].as_str().unwrap().to_owned();
    let answered = async |given: Value, result: ConnectionTestResult| {
        let ingest = async {
            loop {
                if let Some(test) = api.queues().take_connection_test().await.unwrap() {
                    api.queues().answer_connection_test(&test.id, result).await.unwrap();
                    return test;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let path = format!("sources/{source}/test");
        let (answer, test) = tokio::join!(api.post(&path, given), ingest);
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.body["data"].clone(), test)
    };
    let result = |step: Option<&str>| ConnectionTestResult {
        failed_step: step.map(str::to_owned),
        reason: step.map(|_| "NotAuthorized".to_owned()),
        notes: vec!["n".to_owned()],
        duration_ms: 7,
    };
    let (wire, test) = answered(json!({}), result(None)).await;
    assert_eq!(wire, json!({"is_ok": true, "failed_step": null, "reason": null, "notes": ["n"], "duration_ms": 7}));
    assert_eq!((test.source_id.to_string(), test.pub_sub()), (source.clone(), Ok(None)));
    let (wire, test) = answered(json!({"pub_sub": mqtt("[REDACTED]")}), result(Some("sign_in"))).await;
    assert_eq!(
        (&wire["is_ok"], &wire["failed_step"], &wire["reason"]),
        (&json!(false), &json!("sign_in"), &json!("NotAuthorized"))
    );
    assert_eq!(test.pub_sub().unwrap().unwrap()["mqtt"]["password"], "hunter2");

    // Nobody is there. What would be made only if it works is not made.
    let answer = api.post("sources/test", json!({"pub_sub": mqtt("p")})).await;
    assert_eq!((answer.status, &answer.body["data"]["failed_step"]), (200, &json!("ingest")), "{}", answer.body);
    let answer = api.post("sources?test=true", body).await;
    assert!(answer.status == 400 && answer.body["message"].as_str().unwrap().contains("(ingest)"), "{}", answer.body);
    assert_eq!(api.get("sources").await.body["data"]["content"].as_array().unwrap().len(), 1);
    assert_eq!(api.queues().take_connection_test().await.unwrap(), None, "they were taken back");
    for (path, body) in
        [("sources/test", json!({})), ("sources/test", json!({"pub_sub": {"type": "mqtt", "mqtt": {}}}))]
    {
        assert_eq!(api.post(path, body).await.status, 400);
    }
    let http = api.post("sources", json!({"name": "h", "type": "http"})).await.body["data"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(api.post(&format!("sources/{http}/test"), json!({})).await.status, 400);
}
