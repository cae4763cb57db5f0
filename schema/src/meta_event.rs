//! Meta events: what happened to a project itself, on its way to the URL that its settings name. As with deliveries the row
//! is the truth, and the job in Redis only its fast path.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
    deserialize::{self, FromSql},
    dsl::sql,
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types::{Bool, Jsonb, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{MetaEventId, ProjectId},
    json::Headers,
    page::{Page, PageRequest},
    tables::meta_events,
    words::{DeliveryStatus, RetryStrategy},
};

/// A row of `meta_events`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = meta_events, primary_key(project_id, id))]
pub struct MetaEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The meta event; its time is when it happened.
    pub id: MetaEventId,
    /// What happened.
    pub event_type: String,
    /// The exact bytes of the request's body: `{"event_type", "data"}`.
    pub payload: Vec<u8>,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// How the wait between attempts grows.
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    pub retry_interval_seconds: i32,
    /// Attempts in total; 0 counts as 1.
    pub retry_limit: i32,
    /// Attempts made.
    pub attempt_count: i32,
    /// When the next attempt is due; of no meaning in a final state.
    pub next_send_time: DateTime<Utc>,
    /// The newest request with its answer.
    pub attempt: Option<MetaAttempt>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// A meta event to insert; its first attempt is due at once.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = meta_events)]
pub struct NewMetaEvent {
    /// The project.
    pub project_id: ProjectId,
    /// The meta event.
    pub id: MetaEventId,
    /// What happened.
    pub event_type: String,
    /// The exact bytes of the request's body.
    pub payload: Vec<u8>,
    /// How the wait between attempts grows.
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    pub retry_interval_seconds: i32,
    /// Attempts in total.
    pub retry_limit: i32,
}

/// One request with its answer.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = Jsonb)]
#[serde(default)]
pub struct MetaAttempt {
    /// Headers as sent.
    pub request_headers: Headers,
    /// Headers as received.
    pub response_headers: Headers,
    /// The status code of the answer.
    pub status_code: Option<u16>,
    /// The beginning of the answer's body, as text without NUL.
    pub response_body: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

/// The state in which an attempt leaves its meta event.
#[derive(Debug, Clone)]
pub struct MetaOutcome {
    /// Success, Retry or Failure.
    pub status: DeliveryStatus,
    /// Attempts made, this one included.
    pub attempt_count: i32,
    /// When the next attempt is due.
    pub next_send_time: DateTime<Utc>,
    /// The request with its answer; `None` where none was made.
    pub attempt: Option<MetaAttempt>,
}

/// Not yet ended by an outcome.
const UNFINISHED: [DeliveryStatus; 2] = [DeliveryStatus::Scheduled, DeliveryStatus::Retry];

impl MetaEvent {
    /// The meta event with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: MetaEventId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(meta_events::project_id.eq(project))
            .filter(meta_events::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// A page of the project's meta events of the time between two instants, both included.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        page: &PageRequest<MetaEventId>,
    ) -> QueryResult<Page<Self>> {
        let (mut first, mut last) = (MetaEventId::first_at(from), MetaEventId::last_at(to));
        match page.cursor {
            Some(cursor) if page.reads_ascending() => first = first.max(cursor),
            Some(cursor) => last = last.min(cursor),
            None => {}
        }
        // Bounds and order of the primary key and of no other index: the planner would rather read those of all projects by
        // age, in the hope of soon having met enough of this one's.
        let bound = |condition: &str, id: MetaEventId| {
            sql::<Bool>(condition).bind::<Uuid, _>(project).sql(", ").bind::<Uuid, _>(id).sql(")")
        };
        let query = Self::query()
            .filter(bound("(project_id, id) >= (", first))
            .filter(bound("(project_id, id) <= (", last))
            .into_boxed();
        let query = if page.reads_ascending() {
            query.order((meta_events::project_id.asc(), meta_events::id.asc()))
        } else {
            query.order((meta_events::project_id.desc(), meta_events::id.desc()))
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// Makes the meta event unless it is there.
    ///
    /// # Errors
    /// The database fails.
    pub async fn insert_new(conn: &mut AsyncPgConnection, new: &NewMetaEvent) -> QueryResult<()> {
        diesel::insert_into(meta_events::table)
            .values((
                new,
                meta_events::status.eq(DeliveryStatus::Scheduled),
                meta_events::next_send_time.eq(new.id.created_at()),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Makes the meta event due now, whatever became of it, and returns it. `None`: there is none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn reschedule(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: MetaEventId,
    ) -> QueryResult<Option<Self>> {
        diesel::update(meta_events::table.find((project, id)))
            .set((
                meta_events::status.eq(DeliveryStatus::Scheduled),
                meta_events::next_send_time.eq(diesel::dsl::now),
                meta_events::updated_at.eq(diesel::dsl::now),
            ))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Writes what became of the next attempt. `false`: it was written before, or the meta event is final.
    ///
    /// # Errors
    /// The database fails.
    pub async fn record(
        conn: &mut AsyncPgConnection,
        (project, id): (ProjectId, MetaEventId),
        attempts_before: i32,
        outcome: &MetaOutcome,
    ) -> QueryResult<bool> {
        let unfinished = meta_events::table
            .find((project, id))
            .filter(meta_events::attempt_count.eq(attempts_before))
            .filter(meta_events::status.eq_any(UNFINISHED));
        let recorded = diesel::update(unfinished)
            .set((
                meta_events::status.eq(outcome.status),
                meta_events::attempt_count.eq(outcome.attempt_count),
                meta_events::next_send_time.eq(outcome.next_send_time),
                // Without a request the last one stays to be seen.
                outcome.attempt.as_ref().map(|attempt| meta_events::attempt.eq(attempt)),
                meta_events::updated_at.eq(diesel::dsl::now),
            ))
            .execute(conn)
            .await?;
        Ok(recorded == 1)
    }
}

/// Unfinished meta events of all projects that were due before `before`, the longest overdue first, up to `limit`.
///
/// # Errors
/// The database fails.
pub async fn list_stranded_all_projects(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<(ProjectId, MetaEventId)>> {
    meta_events::table
        // In these words, because a plan that is kept can use the index only so.
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status IN ('Scheduled', 'Retry')"))
        .filter(meta_events::next_send_time.lt(before))
        .order(meta_events::next_send_time)
        .limit(limit)
        .select((meta_events::project_id, meta_events::id))
        .load(conn)
        .await
}

impl ToSql<Jsonb, Pg> for MetaAttempt {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        // The version of the binary format, then the text.
        out.write_all(&[1])?;
        serde_json::to_writer(out, self)?;
        Ok(serialize::IsNull::No)
    }
}

impl FromSql<Jsonb, Pg> for MetaAttempt {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(value)?;
        Ok(serde_json::from_value(value)?)
    }
}
