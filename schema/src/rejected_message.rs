//! Messages of brokers that could not become events: kept with their reason until they are read again, deleted, too old, or
//! too many of their source.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult, QueryableByName,
    SelectableHelper,
    pg::Pg,
    sql_types::{BigInt, Bytea, Interval, Jsonb, Text, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{ProjectId, RejectedMessageId, SourceId},
    page::{Page, PageRequest},
    statement::Statement,
    tables::rejected_messages,
};

/// Rows that one statement deletes or marks.
const ROWS_AT_ONCE: i64 = 1_000;

/// A row of `rejected_messages` without the message's bytes, which may be many.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = rejected_messages, primary_key(project_id, id))]
pub struct RejectedMessage {
    /// The project.
    pub project_id: ProjectId,
    /// The message; its time is that of the rejection.
    pub id: RejectedMessageId,
    /// The source that it came in by.
    pub source_id: SourceId,
    /// Why, as one of a closed set of words.
    pub reason: String,
    /// Why, for its owner.
    pub detail: String,
    /// How many bytes it had.
    pub payload_bytes: i64,
    /// Whether all of them are kept, so that it can be read again.
    pub is_whole: bool,
    /// What its broker said of it: an object of texts.
    pub metadata: serde_json::Value,
    /// How often it was read again in vain.
    pub redrive_count: i32,
    /// Since when it waits to be read again.
    pub redrive_requested_at: Option<DateTime<Utc>>,
}

/// A message that is to be read again.
#[derive(Debug, Clone, QueryableByName)]
#[diesel(table_name = rejected_messages)]
pub struct RedrivenMessage {
    /// The project.
    pub project_id: ProjectId,
    /// The message.
    pub id: RejectedMessageId,
    /// The source that it came in by.
    pub source_id: SourceId,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// What its broker said of it: an object of texts.
    pub metadata: serde_json::Value,
    /// Since when it waits to be read again.
    pub redrive_requested_at: Option<DateTime<Utc>>,
}

/// A message to keep. No text may hold NUL.
#[derive(Debug, Clone)]
pub struct NewRejectedMessage {
    /// The project.
    pub project_id: ProjectId,
    /// The message.
    pub id: RejectedMessageId,
    /// The source that it came in by.
    pub source_id: SourceId,
    /// Why, as one of a closed set of words.
    pub reason: String,
    /// Why, for its owner.
    pub detail: String,
    /// Its bytes, or the first ones.
    pub payload: Vec<u8>,
    /// How many it had.
    pub payload_bytes: i64,
    /// What its broker said of it.
    pub metadata: BTreeMap<String, String>,
}

/// Which messages are meant; an empty filter lets everything of the project through.
#[derive(Debug, Clone, Default)]
pub struct RejectedFilter {
    /// Only those of these sources.
    pub source_ids: Vec<SourceId>,
    /// Only those with one of these reasons.
    pub reasons: Vec<String>,
    /// Rejected at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Rejected at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

type Filtered<'f> = diesel::helper_types::IntoBoxed<'f, rejected_messages::table, Pg>;

fn filtered<'f>(project: ProjectId, filter: &RejectedFilter) -> Filtered<'f> {
    let mut query = rejected_messages::table.filter(rejected_messages::project_id.eq(project)).into_boxed();
    if !filter.source_ids.is_empty() {
        query = query.filter(rejected_messages::source_id.eq_any(filter.source_ids.clone()));
    }
    if !filter.reasons.is_empty() {
        query = query.filter(rejected_messages::reason.eq_any(filter.reasons.clone()));
    }
    if let Some(from) = filter.from {
        query = query.filter(rejected_messages::id.ge(RejectedMessageId::first_at(from)));
    }
    if let Some(to) = filter.to {
        query = query.filter(rejected_messages::id.le(RejectedMessageId::last_at(to)));
    }
    query
}

impl RejectedMessage {
    /// The message with this id in this project and the bytes that are kept of it, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: RejectedMessageId,
    ) -> QueryResult<Option<(Self, Vec<u8>)>> {
        rejected_messages::table
            .find((project, id))
            .select((Self::as_select(), rejected_messages::payload))
            .first(conn)
            .await
            .optional()
    }

    /// A page of the project's messages.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        filter: &RejectedFilter,
        page: &PageRequest<RejectedMessageId>,
    ) -> QueryResult<Page<Self>> {
        let query = filtered(project, filter);
        let query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(rejected_messages::id.ge(cursor)).order(rejected_messages::id.asc()),
            (true, None) => query.order(rejected_messages::id.asc()),
            (false, Some(cursor)) => query.filter(rejected_messages::id.le(cursor)).order(rejected_messages::id.desc()),
            (false, None) => query.order(rejected_messages::id.desc()),
        };
        let rows = query.limit(page.rows_to_read());
        Ok(page.page(rows.select(Self::as_select()).load(conn).await?))
    }

    /// Deletes the message. `false`: there is none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(conn: &mut AsyncPgConnection, project: ProjectId, id: RejectedMessageId) -> QueryResult<bool> {
        Ok(diesel::delete(rejected_messages::table.find((project, id))).execute(conn).await? == 1)
    }
}

impl RedrivenMessage {
    /// Notes that reading it again failed for this reason. It waits no more.
    ///
    /// # Errors
    /// The database fails.
    pub async fn note_rejection(&self, conn: &mut AsyncPgConnection, reason: &str, detail: &str) -> QueryResult<()> {
        diesel::update(rejected_messages::table.find((self.project_id, self.id)))
            .set((
                rejected_messages::reason.eq(reason),
                rejected_messages::detail.eq(detail),
                rejected_messages::redrive_count.eq(rejected_messages::redrive_count + 1),
                rejected_messages::redrive_requested_at.eq(None::<DateTime<Utc>>),
                rejected_messages::redrive_leased_until.eq(None::<DateTime<Utc>>),
            ))
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// How many messages the filter means.
///
/// # Errors
/// The database fails.
pub async fn count(conn: &mut AsyncPgConnection, project: ProjectId, filter: &RejectedFilter) -> QueryResult<i64> {
    filtered(project, filter).count().get_result(conn).await
}

/// Keeps the message.
///
/// # Errors
/// The database fails.
pub async fn store(conn: &mut AsyncPgConnection, new: &NewRejectedMessage) -> QueryResult<()> {
    let metadata = serde_json::to_value(&new.metadata).unwrap_or_default();
    Statement::new(include_str!("sql/store_rejected_message.sql"))
        .bind::<Uuid, _>(new.project_id)
        .bind::<Uuid, _>(new.id)
        .bind::<Uuid, _>(new.source_id)
        .bind::<Text, _>(new.reason.as_str())
        .bind::<Text, _>(new.detail.as_str())
        .bind::<Bytea, _>(new.payload.as_slice())
        .bind::<BigInt, _>(new.payload_bytes)
        .bind::<Jsonb, _>(metadata)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes the oldest messages of the source beyond this many.
///
/// # Errors
/// The database fails.
pub async fn trim(
    conn: &mut AsyncPgConnection,
    (project, source): (ProjectId, SourceId),
    kept: u32,
) -> QueryResult<usize> {
    Statement::new(include_str!("sql/trim_rejected_messages.sql"))
        .bind::<Uuid, _>(project)
        .bind::<Uuid, _>(source)
        .bind::<Uuid, _>(project)
        .bind::<Uuid, _>(source)
        .bind::<BigInt, _>(i64::from(kept))
        .execute(conn)
        .await
}

/// Deletes what the filter means, and returns how many that was.
///
/// # Errors
/// The database fails; what was deleted stays deleted.
pub async fn delete_all(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &RejectedFilter,
) -> QueryResult<usize> {
    let mut deleted = 0;
    loop {
        let ids: Vec<RejectedMessageId> =
            filtered(project, filter).select(rejected_messages::id).limit(ROWS_AT_ONCE).load(conn).await?;
        if ids.is_empty() {
            return Ok(deleted);
        }
        let these = rejected_messages::table
            .filter(rejected_messages::project_id.eq(project))
            .filter(rejected_messages::id.eq_any(ids));
        deleted += diesel::delete(these).execute(conn).await?;
    }
}

/// Has everything that the filter means read again, but for what is not kept as a whole or waits already, and returns how
/// many messages that is.
///
/// # Errors
/// The database fails; what was asked for stays.
pub async fn redrive_all(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &RejectedFilter,
) -> QueryResult<usize> {
    let (mut asked, mut reached) = (0, None);
    loop {
        let mut query = filtered(project, filter);
        if let Some(reached) = reached {
            query = query.filter(rejected_messages::id.gt(reached));
        }
        let ids: Vec<RejectedMessageId> = query
            .select(rejected_messages::id)
            .order(rejected_messages::id.asc())
            .limit(ROWS_AT_ONCE)
            .load(conn)
            .await?;
        let Some(last) = ids.last().copied() else { return Ok(asked) };
        reached = Some(last);
        asked += redrive(conn, project, &ids).await?;
    }
}

/// Has these messages read again, but for those that are not kept as a whole or wait already, and returns how many messages
/// that is.
///
/// # Errors
/// The database fails.
pub async fn redrive(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[RejectedMessageId],
) -> QueryResult<usize> {
    let these = rejected_messages::table
        .filter(rejected_messages::project_id.eq(project))
        .filter(rejected_messages::id.eq_any(ids))
        .filter(rejected_messages::redrive_requested_at.is_null())
        .filter(rejected_messages::is_whole);
    diesel::update(these).set(rejected_messages::redrive_requested_at.eq(diesel::dsl::now)).execute(conn).await
}

/// The next messages of all projects that wait to be read again. No other instance gets them until the lease ends.
///
/// # Errors
/// The database fails.
pub async fn lease_redriven_all_projects(
    conn: &mut AsyncPgConnection,
    limit: i64,
    lease: Duration,
) -> QueryResult<Vec<RedrivenMessage>> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
    Statement::new(include_str!("sql/lease_redriven_messages.sql"))
        .bind::<BigInt, _>(limit)
        .bind::<Interval, _>(lease)
        .load(conn)
        .await
}

/// Deletes the messages of all projects that were rejected before this instant, in statements of `rows_max` messages, and
/// tells how many they were.
///
/// # Errors
/// The database fails; what was deleted before stays deleted.
pub async fn purge_all_projects(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    rows_max: i64,
) -> QueryResult<usize> {
    let statement = "DELETE FROM rejected_messages WHERE ctid = ANY (\
                     ARRAY (SELECT ctid FROM rejected_messages WHERE id < $1 LIMIT $2))";
    let (first, mut deleted) = (RejectedMessageId::first_at(before), 0);
    loop {
        let query = diesel::sql_query(statement).bind::<Uuid, _>(first).bind::<BigInt, _>(rows_max);
        match query.execute(conn).await? {
            0 => return Ok(deleted),
            some => deleted += some,
        }
    }
}
