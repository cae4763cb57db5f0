//! The operator's tool through its real binary, against a real PostgreSQL and a whole deployment.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod api;
mod archives;
mod desk;
mod doctor;
mod encryption;
mod secrets;
mod shell;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use posthouse_schema::{password, testing::TestDatabase, user};
use serde_json::{Value, json};

fn posthouse(database: &TestDatabase, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_posthouse"))
        .args(args)
        .env("POSTHOUSE_DATABASE_URL", database.url())
        .output()
        .unwrap()
}

/// What the audit log has by these actions, the newest first.
fn noted(database: &TestDatabase, actions: &[&str]) -> Vec<Value> {
    let mut args = vec!["audit-log", "--json"];
    actions.iter().for_each(|action| args.extend(["--action", action]));
    json(&posthouse(database, &args))["changes"].as_array().unwrap().clone()
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
    assert_eq!(applied["partitions"].as_array().unwrap().len(), 4 * 9, "yesterday, today and a week, of four tables");
    let log = noted(&database, &["instance.migrate"]);
    assert_eq!((log.len(), &log[0]["actor_kind"]), (1, &json!("tool")));
    assert_eq!(log[0]["changes"]["migrations"]["after"], applied["applied"]);
    let again = json(&posthouse(&database, &["migrate", "--json"]));
    assert_eq!((again["applied"].as_array().unwrap().len(), again["partitions"].as_array().unwrap().len()), (0, 0));
    assert_eq!(posthouse(&database, &["migrate", "--status"]).status.code(), Some(0));
    assert_eq!(noted(&database, &["instance.migrate"]).len(), 1, "nothing was applied");
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
    let log = json(&posthouse(&database, &["audit-log", "--json"]));
    let actions: Vec<&str> =
        log["changes"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    let (keys, made) =
        (["api_key.create"; 4], ["project.create", "member.update", "user.create", "organisation.create"]);
    assert_eq!((&actions[..4], &actions[4..]), (&keys[..], &made[..]));
    assert_eq!(log["changes"][5]["changes"]["role"], json!({"before": null, "after": "instance_admin"}));
    for line in log["changes"].as_array().unwrap() {
        assert_eq!((&line["actor_kind"], &line["way"]), (&json!("tool"), &json!("tool")), "{line}");
    }
    let of_project = first["project_id"].as_str().unwrap();
    let found = posthouse(&database, &["audit-log", "--project", of_project, "--action", "project.create"]);
    assert!(String::from_utf8_lossy(&found.stdout).contains("tool –  project.create"), "{found:?}");
    let other_kind =
        posthouse(&database, &["bootstrap", "--organisation", "acme", "--project", "orders", "--kind", "incoming"]);
    assert_eq!(other_kind.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other_kind.stderr).contains("exists, and is outgoing"));
}

fn with_input(database: &TestDatabase, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_posthouse"))
        .args(args)
        .env("POSTHOUSE_DATABASE_URL", database.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let database = TestDatabase::create().await;
    let made = json(&posthouse(&database, &["bootstrap", "--organisation", "acme", "--project", "orders", "--json"]));
    let project = made["project_id"].as_str().unwrap();
    let args = ["keys", "create", "--project", project, "--name", "ci", "--expires-in-days", "90", "--json"];
    let key = json(&posthouse(&database, &args));
    assert!(key["key"].as_str().unwrap().starts_with("CO.") && key["expires_at"].is_string());
    let listed = || json(&posthouse(&database, &["keys", "list", "--project", project, "--json"]));
    let keys = listed();
    assert_eq!((keys["keys"].as_array().unwrap().len(), &keys["keys"][0]["id"]), (2, &key["id"]));
    assert!(!keys.to_string().contains("CO."), "only the answer that makes a key shows it");
    let id = key["id"].as_str().unwrap();
    assert_eq!(posthouse(&database, &["keys", "revoke", id]).status.code(), Some(0));
    assert_eq!(posthouse(&database, &["keys", "revoke", id]).status.code(), Some(1), "it was revoked");
    assert_eq!(listed()["keys"].as_array().unwrap().len(), 1);
    let of_user = json(&posthouse(&database, &["keys", "list", "--user", "admin@localhost", "--json"]));
    assert_eq!(of_user["keys"][0]["role"], "instance_admin");
    for args in [
        ["keys", "list", "--user", "nobody@localhost"].as_slice(),
        &["keys", "create", "--project", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--name", "x"],
    ] {
        assert_eq!(posthouse(&database, args).status.code(), Some(1), "{args:?}");
    }
    for args in [["keys", "list"].as_slice(), &["keys", "list", "--project", "x"], &["keys", "create", "--name", "x"]] {
        assert_eq!(posthouse(&database, args).status.code(), Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn users_are_made_and_get_passwords() {
    let database = TestDatabase::create().await;
    posthouse(&database, &["bootstrap", "--organisation", "acme", "--project", "orders"]);
    let create = ["users", "create", "--email", "ada@example.com", "--organisation", "acme", "--json"];
    let made = json(&posthouse(&database, &create));
    assert_eq!(made["member"]["role"], "project_viewer");
    let again = json(&posthouse(&database, &create));
    assert_eq!(made["user_id"], again["user_id"], "it is there already");
    let mut conn = database.pool().get().await.unwrap();
    let user = made["user_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(user::password_hash(&mut conn, user).await.unwrap(), None);
    let set = ["users", "set-password", "--email", "ADA@example.com", "--password-stdin", "--json"];
    assert_eq!(with_input(&database, &set, "short\n").status.code(), Some(1));
    assert_eq!(with_input(&database, &set, "correct horse\n").status.code(), Some(0));
    let hash = user::password_hash(&mut conn, user).await.unwrap().unwrap();
    assert!(password::verify("correct horse", &hash));
    let log = noted(&database, &["user.create", "user.set_password", "member.update"]);
    let of_ada: Vec<_> = log.iter().filter(|line| line["resource_id"] == made["user_id"]).collect();
    let actions: Vec<_> = of_ada.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["user.set_password", "member.update", "user.create"], "what was there already leaves none");
    assert!(of_ada.iter().all(|line| line["actor_kind"] == "tool" && line["is_confirmed"] == true), "{of_ada:?}");
    assert_eq!(of_ada[1]["changes"]["role"], json!({"before": null, "after": "project_viewer"}));
    let known = ["users", "create", "--email", "ada@example.com", "--password-stdin"];
    let refused = with_input(&database, &known, "another password");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("set-password"), "{refused:?}");
    assert_eq!(posthouse(&database, &["users", "set-password", "--email", "ada@example.com"]).status.code(), Some(2));
    assert_eq!(posthouse(&database, &["users", "create", "--email", "x"]).status.code(), Some(2));
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
