//! The operator's tool through its real binary, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output};

use posthouse_schema::testing::TestDatabase;
use serde_json::Value;

fn posthouse(database: &TestDatabase, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_posthouse"))
        .args(args)
        .env("POSTHOUSE_DATABASE_URL", database.url())
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test]
async fn a_database_goes_from_empty_to_migrated_once() {
    let database = TestDatabase::create_empty().await;
    let before = posthouse(&database, &["migrate", "--status", "--json"]);
    assert_eq!(before.status.code(), Some(3));
    assert!(!json(&before)["pending"].as_array().unwrap().is_empty());
    let applied = json(&posthouse(&database, &["migrate", "--json"]));
    assert!(!applied["applied"].as_array().unwrap().is_empty());
    assert_eq!(applied["partitions"].as_array().unwrap().len(), 3 * 9, "yesterday, today and a week, of three tables");
    let again = json(&posthouse(&database, &["migrate", "--json"]));
    assert_eq!((again["applied"].as_array().unwrap().len(), again["partitions"].as_array().unwrap().len()), (0, 0));
    assert_eq!(posthouse(&database, &["migrate", "--status"]).status.code(), Some(0));
}

#[tokio::test]
async fn bootstrap_uses_what_exists_and_makes_new_keys() {
    let database = TestDatabase::create().await;
    let args = [
        "bootstrap",
        "--organisation",
        "acme",
        "--project",
        "orders",
        "--project-config",
        r#"{"disable_endpoint":true}"#,
        "--json",
    ];
    let first = json(&posthouse(&database, &args));
    let second = json(&posthouse(&database, &args));
    for same in ["organisation_id", "project_id"] {
        assert_eq!(first[same], second[same]);
        assert_eq!(first[same].as_str().unwrap().len(), 26);
    }
    for new in ["api_key", "personal_key"] {
        assert_ne!(first[new], second[new]);
        assert!(first[new].as_str().unwrap().starts_with("CO."));
    }
    let other_kind =
        posthouse(&database, &["bootstrap", "--organisation", "acme", "--project", "orders", "--kind", "incoming"]);
    assert_eq!(other_kind.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other_kind.stderr).contains("exists, and is outgoing"));
}

#[tokio::test]
async fn an_empty_ledger_adds_up() {
    let database = TestDatabase::create().await;
    let audit = posthouse(&database, &["audit", "--json"]);
    assert_eq!(audit.status.code(), Some(0));
    assert_eq!(json(&audit)["accepted"], 0);
}

#[tokio::test]
async fn bad_arguments_and_an_unreachable_database_are_clear() {
    let database = TestDatabase::create().await;
    let bad = posthouse(&database, &["bootstrap", "--organisation", " ", "--project", "p"]);
    assert_eq!(bad.status.code(), Some(2));
    let unreachable = Command::new(env!("CARGO_BIN_EXE_posthouse"))
        .args(["--database-url", "postgres://nobody:hunter2@127.0.0.1:1/none", "audit"])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&unreachable.stderr).to_string();
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(complaint.contains("cannot be reached") && !complaint.contains("hunter2"), "{complaint}");
}
