//! Who owns an idempotency key: the first event of the project that claimed it, for as long as the project's window says.
//! Two claims at the same instant are settled by the primary key, so exactly one event is the original. Times are those of
//! acceptance, which are in the ids: a claim that is made late, or twice, comes to the same.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult,
    dsl::sql,
    query_dsl::methods,
    sql_types::{Array, Bool, Text, Uuid},
    upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventId, ProjectId},
    statement::Statement,
    tables::{idempotency_keys, past_idempotency_keys},
};

/// How long after an event another one with its key is a repeat of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyWindow(Option<TimeDelta>);

impl KeyWindow {
    /// As long as the event is kept.
    pub const WHOLE_LIFE: Self = Self(None);

    /// Of so many seconds; 0 means as long as the event is kept.
    #[must_use]
    pub fn of_seconds(seconds: u32) -> Self {
        Self((seconds > 0).then(|| TimeDelta::seconds(seconds.into())))
    }

    /// Whether an event that was accepted at this instant, with the same key, is a repeat of the original. One that was
    /// accepted before it, and comes late, is told apart in the same way.
    #[must_use]
    pub fn covers(self, original: EventId, at: DateTime<Utc>) -> bool {
        self.0.is_none_or(|window| (at - original.created_at()).abs() < window)
    }
}

/// Claims each key for its event unless it is taken, and says for every event which one is the original: itself, or the one
/// that it repeats. `claims` belong to one project; of two claims of one key the first wins. Locks are taken in key order,
/// so that concurrent batches cannot deadlock.
///
/// # Errors
/// The database fails.
pub async fn claim_keys(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    claims: &[(&str, EventId)],
    window: KeyWindow,
) -> QueryResult<HashMap<EventId, EventId>> {
    let mut first = BTreeMap::new();
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
    let insert = diesel::insert_into(idempotency_keys::table).values(&rows);
    if window == KeyWindow::WHOLE_LIFE {
        insert.on_conflict_do_nothing().execute(conn).await?;
    } else {
        // Changes nothing, but holds every key until the transaction ends: who has one is decided here alone.
        let conflict = (idempotency_keys::project_id, idempotency_keys::idempotency_key);
        let unchanged = idempotency_keys::event_id.eq(excluded(idempotency_keys::event_id));
        let locking =
            methods::FilterDsl::filter(insert.on_conflict(conflict).do_update().set(unchanged), sql::<Bool>("false"));
        locking.execute(conn).await?;
    }
    let keys: Vec<&str> = first.keys().copied().collect();
    let owners: Vec<(String, EventId)> = idempotency_keys::table
        .filter(idempotency_keys::project_id.eq(project))
        .filter(idempotency_keys::idempotency_key.eq_any(&keys))
        .select((idempotency_keys::idempotency_key, idempotency_keys::event_id))
        .load(conn)
        .await?;
    let owners: HashMap<String, EventId> = owners.into_iter().collect();
    let mut settled = Settled::new(&owners, window);
    if window != KeyWindow::WHOLE_LIFE {
        settled.know(past(conn, project, &keys, claims, window).await?);
    }
    for (key, event) in claims {
        settled.claim(key, *event);
    }
    settled.write(conn, project).await?;
    Ok(settled.originals_of)
}

/// The earlier originals of these keys that could have one of the claims as a repeat.
async fn past(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    keys: &[&str],
    claims: &[(&str, EventId)],
    window: KeyWindow,
) -> QueryResult<Vec<(String, EventId)>> {
    let times = || claims.iter().map(|(_, event)| event.created_at());
    let (Some(first), Some(last), Some(window)) = (times().min(), times().max(), window.0) else {
        return Ok(Vec::new());
    };
    past_idempotency_keys::table
        .filter(past_idempotency_keys::project_id.eq(project))
        .filter(past_idempotency_keys::idempotency_key.eq_any(keys))
        .filter(past_idempotency_keys::event_id.ge(EventId::first_at(first - window)))
        .filter(past_idempotency_keys::event_id.le(EventId::last_at(last + window)))
        .select((past_idempotency_keys::idempotency_key, past_idempotency_keys::event_id))
        .load(conn)
        .await
}

/// Claims as they are settled one after the other.
struct Settled<'o> {
    window: KeyWindow,
    owners: &'o HashMap<String, EventId>,
    /// All originals of a key that are known.
    originals: HashMap<&'o str, Vec<EventId>>,
    originals_of: HashMap<EventId, EventId>,
    /// Originals that the database does not know yet.
    new: Vec<(&'o str, EventId)>,
}

impl<'o> Settled<'o> {
    fn new(owners: &'o HashMap<String, EventId>, window: KeyWindow) -> Self {
        let originals = owners.iter().map(|(key, owner)| (key.as_str(), vec![*owner])).collect();
        Self { window, owners, originals, originals_of: HashMap::new(), new: Vec::new() }
    }

    fn know(&mut self, past: Vec<(String, EventId)>) {
        for (key, event) in past {
            if let Some(originals) = self.originals.get_mut(key.as_str()) {
                originals.push(event);
            }
        }
    }

    fn claim(&mut self, key: &str, event: EventId) {
        let Some((key, _)) = self.owners.get_key_value(key) else { return };
        let originals = self.originals.entry(key).or_default();
        let is_own = originals.contains(&event);
        let repeated = originals.iter().find(|original| self.window.covers(**original, event.created_at())).copied();
        let original = if is_own { event } else { repeated.unwrap_or(event) };
        if original == event && !is_own {
            originals.push(event);
            self.new.push((key, event));
        }
        self.originals_of.insert(event, original);
    }

    /// The latest original owns the key; what was accepted before it is one of the past, however late it comes.
    async fn write(&self, conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        let (mut past, mut latest) = (Vec::new(), BTreeMap::new());
        for (key, event) in &self.new {
            let owner = latest.entry(*key).or_insert_with(|| self.owners.get(*key).copied().unwrap_or(*event));
            past.push((*key, (*owner).min(*event)));
            *owner = (*owner).max(*event);
        }
        let of_project = |count: usize| vec![project; count];
        Statement::new(include_str!("../sql/move_keys.sql"))
            .bind::<Array<Uuid>, _>(of_project(past.len()))
            .bind::<Array<Text>, _>(past.iter().map(|(key, _)| *key).collect::<Vec<_>>())
            .bind::<Array<Uuid>, _>(past.iter().map(|(_, event)| *event).collect::<Vec<_>>())
            .bind::<Array<Uuid>, _>(of_project(latest.len()))
            .bind::<Array<Text>, _>(latest.keys().copied().collect::<Vec<_>>())
            .bind::<Array<Uuid>, _>(latest.values().copied().collect::<Vec<_>>())
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// The latest event that owns the key, or `None`.
///
/// # Errors
/// The database fails.
pub async fn owner_of_key(conn: &mut AsyncPgConnection, project: ProjectId, key: &str) -> QueryResult<Option<EventId>> {
    idempotency_keys::table.find((project, key)).select(idempotency_keys::event_id).first(conn).await.optional()
}

/// Every original with this key, the latest first, `limit` at most: more than one where the key was free again in between.
///
/// # Errors
/// The database fails.
pub async fn originals_of_key(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    key: &str,
    limit: i64,
) -> QueryResult<Vec<EventId>> {
    let mut originals: Vec<EventId> = owner_of_key(conn, project, key).await?.into_iter().collect();
    let past: Vec<EventId> = past_idempotency_keys::table
        .filter(past_idempotency_keys::project_id.eq(project))
        .filter(past_idempotency_keys::idempotency_key.eq(key))
        .order(past_idempotency_keys::event_id.desc())
        .limit(limit.saturating_sub(1).max(0))
        .select(past_idempotency_keys::event_id)
        .load(conn)
        .await?;
    originals.extend(past);
    Ok(originals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventId {
        EventId::first_at(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds))
    }

    #[test]
    fn a_window_covers_what_is_nearer_than_it_is_long_and_none_covers_all() {
        let window = KeyWindow::of_seconds(60);
        for (original, event, is_covered) in [(0, 59, true), (0, 60, false), (60, 1, true), (60, 0, false)] {
            assert_eq!(window.covers(at(original), at(event).created_at()), is_covered, "{original} {event}");
            assert!(KeyWindow::of_seconds(0).covers(at(original), at(event).created_at()));
        }
    }

    #[test]
    fn claims_are_settled_one_after_the_other() {
        let owners = HashMap::from([("k".to_string(), at(100))]);
        let mut settled = Settled::new(&owners, KeyWindow::of_seconds(10));
        settled.know(vec![("k".into(), at(80))]);
        for (event, original) in
            [(100, 100), (109, 100), (110, 110), (115, 110), (85, 80), (95, 100), (60, 60), (61, 60)]
        {
            settled.claim("k", at(event));
            assert_eq!(settled.originals_of[&at(event)], at(original), "{event}");
        }
        assert_eq!(settled.new, [("k", at(110)), ("k", at(60))]);
    }
}
