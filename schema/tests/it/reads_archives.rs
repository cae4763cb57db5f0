//! A page of an archive is read by its key, wherever in the ledger it begins.

use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use posthouse_schema::archive::{Archived, ArchivedDelivery, ArchivedEvent, Span};

use crate::{
    reads::filled,
    rows_read::{FEW, PER_PAGE, Verdict, measured},
};

async fn read<T: Archived>(conn: &mut AsyncPgConnection, first: Span, verdict: &mut Verdict) {
    let mut span = first;
    for place in ["first", "second", "last"] {
        let ask = async |conn: &mut AsyncPgConnection| T::page(conn, span, PER_PAGE.into()).await;
        let (rows, read) = measured(conn, &format!("{}_", T::TABLE), ask).await;
        let expected = usize::try_from(PER_PAGE).unwrap();
        verdict.add(&format!("the {place} page of {}", T::TABLE), (rows.len(), expected), (read, FEW));
        assert!(rows.is_sorted_by_key(Archived::id) && rows.iter().all(|row| row.id() > span.after));
        span.after = rows.last().unwrap().id();
        if place == "second" {
            // From here to a place near the end.
            let end = T::page(conn, Span { after: span.after, ..first }, 19_000).await.unwrap();
            span.after = end.last().unwrap().id();
        }
    }
}

#[tokio::test]
async fn a_page_of_an_archive_reads_its_rows_alone() {
    let (fixture, _, _) = filled().await;
    let mut conn = AsyncPgConnection::establish(fixture.database.url()).await.unwrap();
    let span = Span { project: fixture.project, after: 0, before: u128::MAX };
    let mut verdict = Verdict::default();
    read::<ArchivedEvent>(&mut conn, span, &mut verdict).await;
    read::<ArchivedDelivery>(&mut conn, span, &mut verdict).await;
    verdict.give();
}
