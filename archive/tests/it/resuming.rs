//! An export that was cut off goes on, and does nothing twice.

use chrono::TimeDelta;
use posthouse_archive::{ArchiveError, Export, PART_BYTES, Progress, Store, days_of, export, forget_before, verify};
use posthouse_schema::ids::ProjectId;
use tokio::sync::Notify;

use crate::ledger::{Ledger, nobody, then};

#[tokio::test]
async fn an_export_that_was_cut_off_goes_on_and_does_nothing_twice() {
    let first = then();
    let ledger = Ledger::filled(first, 3_000).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    // A page, and so a file, for each thousand rows.
    let request = ledger.export_of(first, 1);
    let (cut, mut told) = (Notify::new(), 0);
    let mut cut_off = |_: Progress| {
        told += 1;
        if told == 5 {
            cut.notify_one();
        }
    };
    // What is dropped in between is as good as killed: all that an export knows is in the store.
    tokio::select! {
        _ = export(&ledger.pool, &store, request, &mut cut_off) => panic!("it was not cut off"),
        () = cut.notified() => {}
    }
    assert!(matches!(verify(&store, &mut nobody).await, Err(ArchiveError::Incomplete)));
    let kept = store.manifest().await.unwrap().unwrap();
    assert!((1..=5).contains(&kept.parts.len()), "{:?}", kept.parts);
    let changed = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
    let times: Vec<_> = kept.parts.iter().map(|part| changed(&part.name)).collect();
    // Without a window it is that of the archive.
    let exported = export(&ledger.pool, &store, Export { window: None, ..request }, &mut nobody).await.unwrap();
    assert_eq!(exported.found_parts, kept.parts.len());
    assert_eq!(exported.manifest.parts[..kept.parts.len()], kept.parts);
    assert_eq!(kept.parts.iter().map(|part| changed(&part.name)).collect::<Vec<_>>(), times);
    let verified = verify(&store, &mut nobody).await.unwrap();
    assert_eq!((verified.totals.events, verified.totals.event_deliveries), (3_000, 3_000 - 375));
    let again = export(&ledger.pool, &store, request, &mut nobody).await.unwrap();
    assert_eq!((again.manifest.clone(), again.found_parts), (verified, again.manifest.parts.len()));
}

#[tokio::test]
async fn another_archive_is_not_written_into() {
    let ledger = Ledger::filled(then(), 5).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("new/one").to_str().unwrap()).unwrap();
    let request = ledger.whole();
    export(&ledger.pool, &store, request, &mut nobody).await.unwrap();
    let other_project = Export { project: ProjectId::generate(), ..request };
    let other_window = ledger.export_of(then(), PART_BYTES);
    for other in [other_project, other_window] {
        let refused = export(&ledger.pool, &store, other, &mut nobody).await;
        assert!(matches!(refused, Err(ArchiveError::Other(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn old_days_are_removed_and_nothing_else() {
    let ledger = Ledger::filled(then(), 5).await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    for name in ["2026-01-01", "2026-01-02", "2026-01-03", "notes", "2026-1-1"] {
        export(&ledger.pool, &store.within(name), ledger.whole(), &mut nobody).await.unwrap();
    }
    let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
    let removed = forget_before(&store, day("2026-01-03")).await.unwrap();
    assert_eq!(removed, [day("2026-01-01"), day("2026-01-02")]);
    assert_eq!(days_of(&store).await.unwrap(), [day("2026-01-03")]);
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["2026-01-03", "2026-1-1", "notes"]);
    assert!(forget_before(&store, day("2026-01-03") - TimeDelta::days(1)).await.unwrap().is_empty());
}
