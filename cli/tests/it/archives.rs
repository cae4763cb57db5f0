//! `posthouse export` and `import`, from one database to another.

use posthouse_schema::{ids::ProjectId, testing::TestDatabase};

use crate::{json, noted, posthouse};

async fn project(database: &TestDatabase) -> ProjectId {
    let made = json(&posthouse(database, &["bootstrap", "--organisation", "acme", "--project", "orders", "--json"]));
    made["project_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_exported_from_one_database_is_imported_into_another() {
    let (one, other) = (TestDatabase::create().await, TestDatabase::create().await);
    let (from, into) = (project(&one).await, project(&other).await);
    one.run(&format!(
        "INSERT INTO events (project_id, id, event_type, target_kind, target, payload, status, acknowledged_at) \
         VALUES ('{:032x}', new_id(), 'a', 'broadcast', '', 'x', 'Failure', now())",
        from.to_bits()
    ))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("archive");
    let place = place.to_str().unwrap();
    let (from, into) = (from.to_string(), into.to_string());
    let export = ["export", "--project", &from, "--out", place, "--json"];
    let first = json(&posthouse(&one, &export));
    assert_eq!((&first["totals"]["events"], &first["files"], &first["files_found"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(json(&posthouse(&one, &export))["files_found"], 1, "it goes on, and nothing is left to do");
    let other_window = ["export", "--project", &from, "--out", place, "--since", "1h"];
    let refused = posthouse(&one, &other_window);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds another archive already"), "{refused:?}");
    let checked = json(&posthouse(&other, &["import", place, "--project", &into, "--dry-run", "--json"]));
    assert_eq!((&checked["totals"]["events"], &checked["project_id"]), (&1.into(), &into.as_str().into()));
    let unknown = posthouse(&other, &["import", place]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no such project"), "{unknown:?}");
    let import = ["import", place, "--project", &into, "--json"];
    assert_eq!(json(&posthouse(&other, &import))["written"]["events"], 1);
    assert_eq!(json(&posthouse(&other, &import))["written"]["events"], 0, "it is there");
    assert_eq!(json(&posthouse(&other, &["audit", "--json"]))["accepted"], 1);
    let log = noted(&other, &["project.import"]);
    let rows: Vec<_> = log.iter().map(|line| line["changes"]["rows"]["after"].clone()).collect();
    assert_eq!(rows, [0, 1], "what is refused, and what only looks, leaves no line");
    assert!(log.iter().all(|line| line["is_confirmed"] == true && line["resource_id"] == into.as_str()), "{log:?}");
    std::fs::write(folder.path().join("archive/events-000001.jsonl.zst"), "x").unwrap();
    let refused = posthouse(&other, &import);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not what was exported"), "{refused:?}");
    assert_eq!(noted(&other, &["project.import"])[0]["is_confirmed"], false, "it was begun, and did not end well");
    for (wrong, code) in [
        (["export", "--project", "x", "--out", place].as_slice(), 2),
        (&["export", "--project", &into, "--out", place], 1),
        (&["import", "gs://bucket/x"], 1),
    ] {
        assert_eq!(posthouse(&one, wrong).status.code(), Some(code), "{wrong:?}");
    }
}
