//! Partitions are made ahead, and nobody waits for that.

use chrono::{Days, Utc};
use posthouse_schema::partitions::{self, DAYS_AHEAD, PartitionedTable};

use crate::fixture::{fixture, run};

#[tokio::test]
async fn partitions_cover_the_days_ahead_and_making_them_again_makes_none() {
    let mut conn = fixture().await.conn;
    let today = Utc::now().date_naive();
    for table in PartitionedTable::ALL {
        let days: Vec<_> =
            partitions::list(&mut conn, table).await.unwrap().into_iter().map(|partition| partition.day).collect();
        let expected: Vec<_> = today.iter_days().take(usize::try_from(DAYS_AHEAD).unwrap() + 1).collect();
        assert_eq!(days, expected, "{}", table.name());
    }
    assert!(partitions::make_ahead(&mut conn, today, today).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_locked_table_is_not_waited_for() {
    let mut fixture = fixture().await;
    let pool = fixture.database.pool();
    let mut other = pool.get().await.unwrap();
    run(&mut other, "BEGIN").await;
    run(&mut other, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await;
    let began = std::time::Instant::now();
    let today = Utc::now().date_naive();
    let refused = partitions::make_ahead(&mut fixture.conn, today - Days::new(3), today).await;
    assert!(refused.is_err() && began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    run(&mut other, "ROLLBACK").await;
}
