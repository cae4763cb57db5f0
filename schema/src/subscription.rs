//! Subscriptions: which events an endpoint receives.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, PgTextExpressionMethods,
    QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    endpoint::escape_like,
    filter::{EVERY_TYPE, FilterRow, FilterValues},
    ids::{EndpointId, ProjectId, SourceId, SubscriptionId},
    page::{Page, PageRequest},
    tables::{endpoints, subscriptions},
    text_array::TextArray,
    words::DeliveryMode,
};

/// A live row of `subscriptions`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = subscriptions, primary_key(project_id, id), base_query = subscriptions::table.filter(subscriptions::deleted_at.is_null()))]
pub struct Subscription {
    /// The project.
    pub project_id: ProjectId,
    /// The subscription.
    pub id: SubscriptionId,
    /// Its name.
    pub name: String,
    /// Who receives.
    pub endpoint_id: EndpointId,
    /// Whose events, in incoming projects.
    pub source_id: Option<SourceId>,
    /// Exact event types, or `*`.
    pub event_types: TextArray,
    /// What it asks of every event: `{"headers", "body", "query", "path"}`.
    pub filter: Option<serde_json::Value>,
    /// JavaScript that makes the delivery's payload of the event's data.
    pub function: Option<String>,
    /// What a crash may cause.
    pub delivery_mode: DeliveryMode,
    /// When people are told of failures.
    pub alert_config: Option<serde_json::Value>,
    /// Its own retry policy: a [`crate::project_config::RetryPolicy`].
    pub retry_config: Option<serde_json::Value>,
    /// Its own rate limit.
    pub rate_limit_config: Option<serde_json::Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a caller can set.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = subscriptions, treat_none_as_null = true)]
pub struct SubscriptionValues {
    /// Its name.
    pub name: String,
    /// Who receives.
    pub endpoint_id: EndpointId,
    /// Whose events.
    pub source_id: Option<SourceId>,
    /// Exact event types, or `*`; never empty.
    pub event_types: TextArray,
    /// What it asks of every event: `{"headers", "body", "query", "path"}`.
    pub filter: Option<serde_json::Value>,
    /// JavaScript that makes the delivery's payload of the event's data.
    pub function: Option<String>,
    /// What a crash may cause.
    pub delivery_mode: DeliveryMode,
    /// When people are told of failures.
    pub alert_config: Option<serde_json::Value>,
    /// Its own retry policy: a [`crate::project_config::RetryPolicy`].
    pub retry_config: Option<serde_json::Value>,
    /// Its own rate limit.
    pub rate_limit_config: Option<serde_json::Value>,
}

impl SubscriptionValues {
    /// Those of a subscription that asks for nothing but these event types.
    #[must_use]
    pub fn plain(name: String, endpoint_id: EndpointId, event_types: Vec<String>) -> Self {
        Self {
            name,
            endpoint_id,
            source_id: None,
            event_types: TextArray(event_types),
            filter: None,
            function: None,
            delivery_mode: DeliveryMode::AtLeastOnce,
            alert_config: None,
            retry_config: None,
            rate_limit_config: None,
        }
    }
}

/// Which subscriptions to list.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Only those of these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
    /// A part of the name, in any case.
    pub name_part: Option<String>,
}

impl Subscription {
    /// The subscription with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: SubscriptionId,
    ) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(subscriptions::project_id.eq(project))
            .filter(subscriptions::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// A page of the project's subscriptions.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        filter: &SubscriptionFilter,
        page: &PageRequest<SubscriptionId>,
    ) -> QueryResult<Page<Self>> {
        let mut query = Self::query().filter(subscriptions::project_id.eq(project)).into_boxed();
        match filter.endpoint_ids.as_slice() {
            [] => {}
            // Of one the index has them in order, so that a page is read and not everything.
            [endpoint] => query = query.filter(subscriptions::endpoint_id.eq(*endpoint)),
            endpoints => query = query.filter(subscriptions::endpoint_id.eq_any(endpoints.to_vec())),
        }
        if let Some(part) = &filter.name_part {
            query = query.filter(subscriptions::name.ilike(format!("%{}%", escape_like(part))));
        }
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(subscriptions::id.ge(cursor)).order(subscriptions::id.asc()),
            (true, None) => query.order(subscriptions::id.asc()),
            (false, Some(cursor)) => query.filter(subscriptions::id.le(cursor)).order(subscriptions::id.desc()),
            (false, None) => query.order(subscriptions::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// Whether the endpoint has a subscription.
    ///
    /// # Errors
    /// The database fails.
    pub async fn exists_for(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        endpoint: EndpointId,
    ) -> QueryResult<bool> {
        let found = Self::query()
            .filter(subscriptions::project_id.eq(project))
            .filter(subscriptions::endpoint_id.eq(endpoint))
            .limit(1);
        Ok(!found.load::<Self>(conn).await?.is_empty())
    }

    /// Makes a subscription, with the filter for every event type that its owner may narrow later.
    ///
    /// # Errors
    /// The database fails; nothing is made.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        values: &SubscriptionValues,
    ) -> QueryResult<Self> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let id = SubscriptionId::generate();
            let made: Self = diesel::insert_into(subscriptions::table)
                .values((subscriptions::project_id.eq(project), subscriptions::id.eq(id), values))
                .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
                .get_result(conn)
                .await?;
            FilterRow::insert(conn, project, id, &[FilterValues::open(EVERY_TYPE, made.created_at)]).await?;
            Ok(made)
        })
        .await
    }

    /// Makes the subscription to everything that an endpoint which never had any gets with the first event for it. `false`:
    /// it has one, or had one that was deleted on purpose, or is gone. Of several at the same instant one makes it.
    ///
    /// # Errors
    /// The database fails.
    pub async fn insert_for_lonely(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        endpoint_id: EndpointId,
    ) -> QueryResult<bool> {
        if had_any(conn, project, endpoint_id).await? {
            return Ok(false);
        }
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let name: Option<String> = endpoints::table
                .find((project, endpoint_id))
                .filter(endpoints::deleted_at.is_null())
                .select(endpoints::name)
                .for_no_key_update()
                .first(conn)
                .await
                .optional()?;
            let Some(name) = name else { return Ok(false) };
            if had_any(conn, project, endpoint_id).await? {
                return Ok(false);
            }
            let values = SubscriptionValues::plain(format!("{name}-subscription"), endpoint_id, vec!["*".into()]);
            Self::insert(conn, project, &values).await?;
            Ok(true)
        })
        .await
    }

    /// Writes what a caller can set. `None`: there is no such subscription.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: SubscriptionId,
        values: &SubscriptionValues,
    ) -> QueryResult<Option<Self>> {
        diesel::update(subscriptions::table.find((project, id)).filter(subscriptions::deleted_at.is_null()))
            .set((values, subscriptions::updated_at.eq(diesel::dsl::now)))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Deletes the subscription. `false`: there was none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(conn: &mut AsyncPgConnection, project: ProjectId, id: SubscriptionId) -> QueryResult<bool> {
        let deleted =
            diesel::update(subscriptions::table.find((project, id)).filter(subscriptions::deleted_at.is_null()))
                .set(subscriptions::deleted_at.eq(diesel::dsl::now))
                .execute(conn)
                .await?;
        Ok(deleted == 1)
    }
}

/// Whether the endpoint has a subscription, or had one.
async fn had_any(conn: &mut AsyncPgConnection, project: ProjectId, endpoint: EndpointId) -> QueryResult<bool> {
    let any: Option<SubscriptionId> = subscriptions::table
        .filter(subscriptions::project_id.eq(project))
        .filter(subscriptions::endpoint_id.eq(endpoint))
        .select(subscriptions::id)
        .first(conn)
        .await
        .optional()?;
    Ok(any.is_some())
}
