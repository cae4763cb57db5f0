//! The archives of a schedule: one for each day, in a place named after it. Only such places are ever removed.

use chrono::NaiveDate;

use crate::{error::ArchiveError, store::Store};

const DAY: &str = "%Y-%m-%d";

/// The days of which the place holds an archive, whole or in part, the oldest first.
///
/// # Errors
/// The store fails.
pub async fn days_of(store: &Store) -> Result<Vec<NaiveDate>, ArchiveError> {
    let day = |name: &String| {
        let day = NaiveDate::parse_from_str(name, DAY).ok()?;
        // Another spelling of a day is a place of somebody else.
        (day.to_string() == *name).then_some(day)
    };
    let mut days: Vec<_> = store.places().await?.iter().filter_map(day).collect();
    days.sort_unstable();
    Ok(days)
}

/// Removes the archives of days before `first_kept`; answers which.
///
/// # Errors
/// The store fails; the next call goes on.
pub async fn forget_before(store: &Store, first_kept: NaiveDate) -> Result<Vec<NaiveDate>, ArchiveError> {
    let old: Vec<_> = days_of(store).await?.into_iter().filter(|day| *day < first_kept).collect();
    for day in &old {
        store.within(&day.to_string()).remove().await?;
    }
    Ok(old)
}
