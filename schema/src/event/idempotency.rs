//! Who owns an idempotency key: the first event of the project that claimed it, for ever. Two claims at the same
//! instant are settled by the primary key, so exactly one event is the original.

use std::collections::HashMap;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventId, ProjectId},
    tables::idempotency_keys,
};

/// Claims each key for its event unless it is taken, and returns the owner of every key. `claims` belong to one project;
/// of two claims of one key the first wins. Locks are taken in key order, so that concurrent batches cannot deadlock.
///
/// # Errors
/// The database fails.
pub async fn claim_keys(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    claims: &[(&str, EventId)],
) -> QueryResult<HashMap<String, EventId>> {
    let mut first = std::collections::BTreeMap::new();
    for (key, event) in claims {
        first.entry(*key).or_insert(*event);
    }
    let rows: Vec<_> = first
        .iter()
        .map(|(key, event)| {
            (
                idempotency_keys::project_id.eq(project),
                idempotency_keys::idempotency_key.eq(*key),
                idempotency_keys::event_id.eq(*event),
            )
        })
        .collect();
    diesel::insert_into(idempotency_keys::table).values(&rows).on_conflict_do_nothing().execute(conn).await?;
    let owners: Vec<(String, EventId)> = idempotency_keys::table
        .filter(idempotency_keys::project_id.eq(project))
        .filter(idempotency_keys::idempotency_key.eq_any(first.keys().copied().collect::<Vec<_>>()))
        .select((idempotency_keys::idempotency_key, idempotency_keys::event_id))
        .load(conn)
        .await?;
    Ok(owners.into_iter().collect())
}

/// The event that owns the key, or `None`.
///
/// # Errors
/// The database fails.
pub async fn owner_of_key(conn: &mut AsyncPgConnection, project: ProjectId, key: &str) -> QueryResult<Option<EventId>> {
    idempotency_keys::table.find((project, key)).select(idempotency_keys::event_id).first(conn).await.optional()
}
