//! What was exported comes back as it was, once, and only where it is sound.

use std::path::Path;

use chrono::TimeDelta;
use posthouse_archive::{
    ArchiveError, Import, Manifest, PART_BYTES, Store, Table, days_of, export, forget_before, import, verify,
};
use posthouse_schema::{
    archive::Unfinished,
    ids::ProjectId,
    partitions::{self, PartitionedTable},
};

use crate::ledger::{Ledger, nobody, then};

const AS_IT_WAS: Import = Import { project: None, unfinished: Unfinished::Deliver };
const TABLES: [&str; 4] = ["events", "event_deliveries", "delivery_attempts", "idempotency_keys"];
const COUNT: u32 = 60;

/// An archive of a filled ledger in a folder.
async fn archive() -> (Ledger, tempfile::TempDir, Store) {
    let ledger = Ledger::filled(then(), COUNT).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    export(&ledger.pool, &store, ledger.export_of(then() - TimeDelta::hours(1), PART_BYTES), &mut nobody)
        .await
        .unwrap();
    (ledger, folder, store)
}

fn without(table: &str) -> &'static [&'static str] {
    // An event is stored when it is restored, so that the search finds it.
    if table == "events" { &["updated_at"] } else { &[] }
}

/// A day's archive is written within this store, found again, restored and forgotten.
pub async fn comes_back(root: &Store) {
    let ledger = Ledger::filled(then(), 50).await;
    let store = root.within("2026-01-01");
    let exported = export(&ledger.pool, &store, ledger.whole(), &mut nobody).await.unwrap();
    assert_eq!(exported.manifest.totals.events, 50);
    let again = export(&ledger.pool, &store, ledger.whole(), &mut nobody).await.unwrap();
    assert_eq!(again.found_parts, 3);
    let empty = Ledger::empty(ledger.project).await;
    let imported = import(&empty.pool, &store, AS_IT_WAS, &mut nobody).await.unwrap();
    assert_eq!(imported.written, exported.manifest.totals);
    assert_eq!(empty.rows("event_deliveries", &[]).await, ledger.rows("event_deliveries", &[]).await);
    let day = "2026-01-02".parse().unwrap();
    assert_eq!(forget_before(root, day).await.unwrap().len(), 1);
    assert!(days_of(root).await.unwrap().is_empty() && store.manifest().await.unwrap().is_none());
}

#[tokio::test]
async fn everything_comes_back_as_it_was_and_only_once() {
    let (ledger, _folder, store) = archive().await;
    let empty = Ledger::empty(ledger.project).await;
    let imported = import(&empty.pool, &store, AS_IT_WAS, &mut nobody).await.unwrap();
    let deliveries = u64::from(COUNT - COUNT / 8);
    assert_eq!(imported.written, imported.manifest.totals);
    assert_eq!((imported.written.events, imported.written.event_deliveries), (COUNT.into(), deliveries));
    assert_eq!(imported.written.delivery_attempts, deliveries);
    for table in &TABLES[..3] {
        assert_eq!(empty.rows(table, without(table)).await, ledger.rows(table, without(table)).await, "{table}");
    }
    // Duplicates own no key, and the ledger that was filled by hand has no keys at all.
    assert_eq!(empty.rows("idempotency_keys", &[]).await.len(), usize::try_from(COUNT.div_ceil(8)).unwrap());
    let day = then().date_naive();
    assert!(imported.days.contains(&day), "{:?}", imported.days);
    let mut conn = empty.pool.get().await.unwrap();
    for table in PartitionedTable::ALL {
        let there = partitions::list(&mut conn, table).await.unwrap();
        assert!(there.iter().any(|partition| partition.day == day), "{}", table.name());
    }
    assert!(empty.rows("events_default", &[]).await.is_empty());
    let before = empty.rows("event_deliveries", &[]).await;
    let again = import(&empty.pool, &store, AS_IT_WAS, &mut nobody).await.unwrap();
    assert_eq!((again.written.rows(), again.days.len()), (0, 0));
    assert_eq!(empty.rows("event_deliveries", &[]).await, before);
    // Whoever joins a line from now on comes behind.
    let last = empty.rows("(SELECT last_value FROM delivery_line_places)", &[]).await;
    assert_eq!(last, [format!("{{\"last_value\": {}}}", 1000 + COUNT - 1)]);
}

#[tokio::test]
async fn what_had_not_ended_is_not_sent_unless_that_is_asked_for() {
    let (_, _folder, store) = archive().await;
    let other = Ledger::empty(ProjectId::generate()).await;
    let gone = import(&other.pool, &store, AS_IT_WAS, &mut nobody).await;
    assert!(matches!(gone, Err(ArchiveError::NoProject)), "{gone:?}");
    let into = Import { project: Some(other.project), unfinished: Unfinished::Discard };
    let imported = import(&other.pool, &store, into, &mut nobody).await.unwrap();
    assert_eq!(imported.project, other.project);
    let deliveries =
        other.rows("(SELECT project_id, status, description, line_place FROM event_deliveries)", &[]).await;
    assert_eq!(deliveries.len(), usize::try_from(imported.written.event_deliveries).unwrap());
    let project = format!("{:032x}", other.project.to_bits());
    for row in &deliveries {
        assert!(row.replace('-', "").contains(&project), "{row}");
        assert!(
            !["Retry\"", "Scheduled\"", "Processing\""]
                .iter()
                .any(|word| row.contains(&format!("\"status\": \"{word}")))
        );
    }
    let restored = deliveries.iter().filter(|row| row.contains("restored from an archive, where it was ")).count();
    let unfinished = (0..COUNT).filter(|n| n % 8 != 4 && n % 5 >= 3).count();
    assert_eq!(restored, unfinished);
}

/// Changes the manifest in the folder.
fn change(folder: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = folder.join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[tokio::test]
async fn what_was_tampered_with_is_refused_before_anything_is_written() {
    let (ledger, folder, store) = archive().await;
    let empty = Ledger::empty(ledger.project).await;
    let file = folder.path().join("event_deliveries-000001.jsonl.zst");
    let sound = std::fs::read(&file).unwrap();
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (content, part) in [(flipped, "SHA-256"), (sound[1..].to_vec(), "bytes instead of")] {
        std::fs::write(&file, content).unwrap();
        let refused = import(&empty.pool, &store, AS_IT_WAS, &mut nobody).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::Tampered { .. }) && refused.to_string().contains(part), "{refused}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(import(&empty.pool, &store, AS_IT_WAS, &mut nobody).await, Err(ArchiveError::Store(_))));
    std::fs::write(&file, &sound).unwrap();
    // More than it says comes out of it.
    change(folder.path(), |manifest| manifest.parts[1].raw_bytes -= 1);
    let refused = verify(&store, &mut nobody).await.unwrap_err().to_string();
    assert!(refused.contains("it does not hold the"), "{refused}");
    change(folder.path(), |manifest| manifest.parts[1].raw_bytes += 1);
    // A row too few.
    change(folder.path(), |manifest| {
        manifest.parts[1].rows -= 1;
        manifest.totals.event_deliveries -= 1;
    });
    let refused = verify(&store, &mut nobody).await.unwrap_err().to_string();
    assert!(refused.contains("its rows are not those"), "{refused}");
    change(folder.path(), |manifest| {
        manifest.parts[1].rows += 1;
        manifest.totals.event_deliveries += 1;
    });
    change(folder.path(), |manifest| manifest.completed_at = None);
    assert!(matches!(verify(&store, &mut nobody).await, Err(ArchiveError::Incomplete)));
    for table in TABLES {
        assert!(empty.rows(table, &[]).await.is_empty(), "{table}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let nothing = Store::open(nothing.path().to_str().unwrap()).unwrap();
    assert!(matches!(verify(&nothing, &mut nobody).await, Err(ArchiveError::Missing)));
}

#[tokio::test]
async fn a_window_has_what_was_made_in_it() {
    let ledger = Ledger::filled(then(), COUNT).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", folder.path().display())).unwrap();
    let mut request = ledger.whole();
    let first = then() + TimeDelta::seconds(10);
    let window = posthouse_archive::Window { from: first, to: first + TimeDelta::seconds(20) };
    request.window = Some(window);
    // The clock goes on between two looks at it, so the ends are compared with what is there.
    let exported = export(&ledger.pool, &store, request, &mut nobody).await.unwrap();
    let events: Vec<_> = exported.manifest.parts_of(Table::Events).collect();
    let (begin, end) = (events[0].first_id.created_at(), events[0].last_id.created_at());
    assert_eq!(exported.manifest.totals.events, 20);
    assert!(begin >= window.from && end < window.to, "{begin} {end} {window:?}");
}
