//! Sources: where events come in, from providers over HTTP or from message brokers.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, PgTextExpressionMethods,
    QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    endpoint::escape_like,
    ids::{ProjectId, SourceId},
    page::{Page, PageRequest},
    sealed::{self, Place, Sealed, Unopened},
    tables::{sources, subscriptions},
    text_array::TextArray,
    words::SourceKind,
};

/// A live row of `sources`. Its `Debug` shows neither verifier nor broker credentials.
#[derive(Clone, HasQuery, Identifiable)]
#[diesel(table_name = sources, primary_key(project_id, id), base_query = sources::table.filter(sources::deleted_at.is_null()))]
pub struct Source {
    /// The project.
    pub project_id: ProjectId,
    /// The source.
    pub id: SourceId,
    /// Its part of the ingest URL.
    pub mask_id: String,
    /// Its name.
    pub name: String,
    /// Where its events come from.
    pub kind: SourceKind,
    /// The provider whose form of signing it uses; empty for none.
    pub provider: String,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    verifier: Option<Sealed<Value>>,
    /// What an ingest request is answered with.
    pub custom_response: Option<Value>,
    /// Inbound headers that are forwarded.
    pub forward_headers: TextArray,
    pub_sub: Option<Sealed<Value>>,
    /// Where an idempotency key is made from.
    pub idempotency_keys: TextArray,
    /// Where the event type is read from.
    pub event_type_location: String,
    /// Makes a message of whatever JSON a broker brings.
    pub body_function: Option<String>,
    /// Makes a message's headers.
    pub header_function: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When Twitter last asked it to prove that it knows the secret.
    pub crc_verified_at: Option<DateTime<Utc>>,
    /// How long it may receive nothing until its project is told.
    pub stale_after_seconds: Option<i32>,
    /// Since when its project is told that this was too long.
    pub stale_since: Option<DateTime<Utc>>,
    /// Messages or requests that it takes in within the duration; 0 for no limit.
    pub rate_limit: i32,
    /// The duration.
    pub rate_limit_duration_seconds: i32,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What a caller can set.
#[derive(Clone)]
pub struct SourceValues {
    /// Its name.
    pub name: String,
    /// Where its events come from.
    pub kind: SourceKind,
    /// The provider.
    pub provider: String,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    /// How requests prove themselves.
    pub verifier: Option<Value>,
    /// What an ingest request is answered with.
    pub custom_response: Option<Value>,
    /// Inbound headers that are forwarded.
    pub forward_headers: TextArray,
    /// The broker.
    pub pub_sub: Option<Value>,
    /// Where an idempotency key is made from.
    pub idempotency_keys: TextArray,
    /// Where the event type is read from.
    pub event_type_location: String,
    /// Makes a message of whatever JSON a broker brings.
    pub body_function: Option<String>,
    /// Makes a message's headers.
    pub header_function: Option<String>,
    /// How long it may receive nothing until its project is told.
    pub stale_after_seconds: Option<i32>,
    /// Messages or requests that it takes in within the duration; 0 for no limit.
    pub rate_limit: i32,
    /// The duration.
    pub rate_limit_duration_seconds: i32,
}

/// The same as it is stored.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = sources, treat_none_as_null = true)]
struct SourceColumns<'v> {
    name: &'v str,
    kind: SourceKind,
    provider: &'v str,
    is_disabled: bool,
    verifier: Option<Sealed<Value>>,
    custom_response: Option<&'v Value>,
    forward_headers: &'v TextArray,
    pub_sub: Option<Sealed<Value>>,
    idempotency_keys: &'v TextArray,
    event_type_location: &'v str,
    body_function: Option<&'v str>,
    header_function: Option<&'v str>,
    stale_after_seconds: Option<i32>,
    rate_limit: i32,
    rate_limit_duration_seconds: i32,
}

impl SourceValues {
    fn sealed(&self, key: (ProjectId, SourceId)) -> SourceColumns<'_> {
        let json = |column, value: &Option<Value>| value.as_ref().map(|value| Sealed::seal(value, &place(column, key)));
        // Whole, so that a value that is stored nowhere does not compile.
        let Self {
            name,
            kind,
            provider,
            is_disabled,
            verifier,
            custom_response,
            forward_headers,
            pub_sub,
            idempotency_keys,
            event_type_location,
            body_function,
            header_function,
            stale_after_seconds,
            rate_limit,
            rate_limit_duration_seconds,
        } = self;
        SourceColumns {
            name,
            kind: *kind,
            provider,
            is_disabled: *is_disabled,
            verifier: json(VERIFIER, verifier),
            custom_response: custom_response.as_ref(),
            forward_headers,
            pub_sub: json(PUB_SUB, pub_sub),
            idempotency_keys,
            event_type_location,
            body_function: body_function.as_deref(),
            header_function: header_function.as_deref(),
            stale_after_seconds: *stale_after_seconds,
            rate_limit: *rate_limit,
            rate_limit_duration_seconds: *rate_limit_duration_seconds,
        }
    }
}

/// Columns that hold secrets.
const VERIFIER: &str = "sources.verifier";
pub(crate) const PUB_SUB: &str = "sources.pub_sub";

/// Where a source's secret of this column is stored.
pub(crate) fn place(column: &'static str, (project, id): (ProjectId, SourceId)) -> Place {
    Place::new(column, &[project.to_bits(), id.to_bits()])
}

/// Which sources to list.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// Only this kind.
    pub kind: Option<SourceKind>,
    /// Only this provider.
    pub provider: Option<String>,
    /// Only names that hold this text, in any case.
    pub name_part: Option<String>,
}

impl Source {
    /// How requests prove themselves.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn verifier(&self) -> Result<Option<Value>, Unopened> {
        sealed::open(self.verifier.as_ref(), &place(VERIFIER, (self.project_id, self.id)))
    }

    /// The broker.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn pub_sub(&self) -> Result<Option<Value>, Unopened> {
        sealed::open(self.pub_sub.as_ref(), &place(PUB_SUB, (self.project_id, self.id)))
    }

    /// The source with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: SourceId) -> QueryResult<Option<Self>> {
        Self::query().filter(sources::project_id.eq(project)).filter(sources::id.eq(id)).first(conn).await.optional()
    }

    /// The source that this part of the ingest URL belongs to, whatever its project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_by_mask_all_projects(conn: &mut AsyncPgConnection, mask: &str) -> QueryResult<Option<Self>> {
        Self::query().filter(sources::mask_id.eq(mask)).first(conn).await.optional()
    }

    /// The live sources among `ids`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_many(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        ids: &[SourceId],
    ) -> QueryResult<Vec<Self>> {
        Self::query().filter(sources::project_id.eq(project)).filter(sources::id.eq_any(ids)).load(conn).await
    }

    /// A page of the project's sources.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        filter: &SourceFilter,
        page: &PageRequest<SourceId>,
    ) -> QueryResult<Page<Self>> {
        let mut query = Self::query().filter(sources::project_id.eq(project)).into_boxed();
        if let Some(kind) = filter.kind {
            query = query.filter(sources::kind.eq(kind));
        }
        if let Some(provider) = &filter.provider {
            query = query.filter(sources::provider.eq(provider.clone()));
        }
        if let Some(part) = &filter.name_part {
            query = query.filter(sources::name.ilike(format!("%{}%", escape_like(part))));
        }
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(sources::id.ge(cursor)).order(sources::id.asc()),
            (true, None) => query.order(sources::id.asc()),
            (false, Some(cursor)) => query.filter(sources::id.le(cursor)).order(sources::id.desc()),
            (false, None) => query.order(sources::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// Makes a source.
    ///
    /// # Errors
    /// The database fails; a unique violation when the mask is taken.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        mask: &str,
        values: &SourceValues,
    ) -> QueryResult<Self> {
        let id = SourceId::generate();
        diesel::insert_into(sources::table)
            .values((
                sources::project_id.eq(project),
                sources::id.eq(id),
                sources::mask_id.eq(mask),
                values.sealed((project, id)),
            ))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
    }

    /// Writes what a caller can set. `None`: there is no such source.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: SourceId,
        values: &SourceValues,
    ) -> QueryResult<Option<Self>> {
        diesel::update(sources::table.find((project, id)).filter(sources::deleted_at.is_null()))
            .set((values.sealed((project, id)), sources::updated_at.eq(diesel::dsl::now)))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Notes that the source has just proved to Twitter that it knows the secret. It has not changed by that.
    ///
    /// # Errors
    /// The database fails.
    pub async fn note_crc(conn: &mut AsyncPgConnection, project: ProjectId, id: SourceId) -> QueryResult<()> {
        diesel::update(sources::table.find((project, id)).filter(sources::deleted_at.is_null()))
            .set(sources::crc_verified_at.eq(diesel::dsl::now))
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Deletes the source and its subscriptions. `false`: there was none.
    ///
    /// # Errors
    /// The database fails; nothing is deleted.
    pub async fn delete(conn: &mut AsyncPgConnection, project: ProjectId, id: SourceId) -> QueryResult<bool> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let deleted = diesel::update(sources::table.find((project, id)).filter(sources::deleted_at.is_null()))
                .set(sources::deleted_at.eq(diesel::dsl::now))
                .execute(conn)
                .await?;
            let of_source = subscriptions::table
                .filter(subscriptions::project_id.eq(project))
                .filter(subscriptions::source_id.eq(id))
                .filter(subscriptions::deleted_at.is_null());
            diesel::update(of_source).set(subscriptions::deleted_at.eq(diesel::dsl::now)).execute(conn).await?;
            Ok(deleted == 1)
        })
        .await
    }
}
