//! What is wrong with a deployment, as far as it can be told without one that runs.

use posthouse_schema::testing::TestDatabase;
use serde_json::Value;

use crate::desk::{bare, run};

async fn report(args: &[&str], code: Option<i32>) -> Vec<(String, String, String)> {
    let output = run(bare(&[args, &["--json"]].concat()), "").await;
    assert!(code.is_none() || output.status.code() == code, "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |check: &Value, field: &str| check[field].as_str().unwrap_or_default().to_string();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (text(check, "name"), text(check, "verdict"), text(check, "remedy"))).collect()
}

fn found<'a>(report: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let check = report.iter().find(|check| check.0 == name).unwrap_or_else(|| panic!("{name} is not in {report:?}"));
    (&check.1, &check.2)
}

#[tokio::test]
async fn what_is_not_named_is_skipped_with_the_flag_that_names_it() {
    let report = report(&["doctor", "--strict"], Some(0)).await;
    for name in ["postgres-reachable", "redis-reachable", "egress-reachable", "api-reachable", "signature-of-delivery"]
    {
        assert_eq!(found(&report, name), ("skipped", ""));
    }
    assert_eq!(found(&report, "signature").0, "ok");
}

#[tokio::test]
async fn what_does_not_answer_fails() {
    let args = [
        "doctor",
        "--database-url",
        "postgres://nobody:hunter2@127.0.0.1:1/none",
        "--redis-url",
        "redis://:hunter2@127.0.0.1:1",
        "--egress-url",
        "http://127.0.0.1:1",
        "--url",
        "http://127.0.0.1:1",
    ];
    let report = report(&args, Some(1)).await;
    for name in ["postgres-reachable", "redis-reachable", "egress-reachable", "api-reachable"] {
        let (verdict, remedy) = found(&report, name);
        assert!(verdict == "failed" && !remedy.is_empty(), "{name}: {report:?}");
    }
    let text = run(bare(&args), "").await;
    assert!(!String::from_utf8_lossy(&text.stdout).contains("hunter2"), "{text:?}");
}

#[tokio::test]
async fn an_empty_database_is_to_be_migrated() {
    let database = TestDatabase::create_empty().await;
    let args = ["doctor", "--database-url", database.url()];
    let before = report(&args, Some(1)).await;
    assert_eq!(found(&before, "postgres-migrations"), ("failed", "run `posthouse migrate`"));
    assert_eq!(found(&before, "postgres-partitions").0, "skipped");
    let migrated = run(bare(&["migrate", "--database-url", database.url()]), "").await;
    assert_eq!(migrated.status.code(), Some(0), "{migrated:?}");
    // The server of tests need not be a durable one.
    let after = report(&args, None).await;
    assert_eq!(found(&after, "postgres-migrations").0, "ok");
    assert_eq!(found(&after, "postgres-partitions").0, "ok");
}
