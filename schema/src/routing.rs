//! Who receives an event: the live subscriptions of a project, with what delivering to their endpoints takes. Matching
//! itself is the worker's; this module only reads.

use std::{collections::HashMap, sync::Arc};

use diesel::{
    BoolExpressionMethods, ExpressionMethods, HasQuery, JoinOnDsl, QueryDsl, QueryResult, Queryable, Selectable,
    SelectableHelper,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    filter::{EVERY_TYPE, FilterRow},
    ids::{EndpointId, ProjectId, SourceId, SubscriptionId},
    project_config::RetryPolicy,
    tables::{endpoints, subscription_filters, subscriptions},
    words::{DeliveryMode, EndpointStatus},
};

/// A live subscription with its live endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// Its endpoint.
    pub endpoint_id: EndpointId,
    /// The source whose events it takes, in incoming projects.
    pub source_id: Option<SourceId>,
    /// Exact event types, or `*` for all.
    pub event_types: Vec<String>,
    /// What the subscription asks of every event: `{"headers", "body", "query", "path"}`.
    pub filter: Option<serde_json::Value>,
    /// Its filters for single event types and for all. One for all that asks for nothing is left out, which is the same.
    pub filters: Vec<FilterRow>,
    /// JavaScript that makes the delivery's payload of the event's data.
    pub function: Option<Arc<str>>,
    /// What a crash may cause.
    pub delivery_mode: DeliveryMode,
    /// When its failed deliveries are tried again; `None` for the project's policy.
    pub retry: Option<RetryPolicy>,
    /// The endpoint's owner, in the caller's own terms.
    pub owner_id: String,
    /// Whether the endpoint receives.
    pub endpoint_status: EndpointStatus,
}

impl Route {
    /// Whether the subscription wants events of this type: exact and case-sensitive, or `*`.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|wanted| wanted == event_type || wanted == "*")
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = subscriptions)]
struct SubscriptionPart {
    id: SubscriptionId,
    endpoint_id: EndpointId,
    source_id: Option<SourceId>,
    event_types: Vec<Option<String>>,
    filter: Option<serde_json::Value>,
    function: Option<String>,
    delivery_mode: DeliveryMode,
    retry_config: Option<serde_json::Value>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = endpoints)]
struct EndpointPart {
    owner_id: String,
    status: EndpointStatus,
}

/// Which of a project's routes to read.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Routes to these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
    /// Routes to the endpoints of these owners.
    pub owner_ids: Vec<String>,
    /// Routes from these sources.
    pub source_ids: Vec<SourceId>,
    /// Routes by these subscriptions.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Every route of the project.
    pub is_everything: bool,
}

/// The wanted routes of a project, in the order in which the subscriptions were made.
///
/// # Errors
/// The database fails.
pub async fn routes(conn: &mut AsyncPgConnection, project: ProjectId, wanted: &Wanted) -> QueryResult<Vec<Route>> {
    let mut query =
        subscriptions::table
            .inner_join(endpoints::table.on(
                endpoints::project_id.eq(subscriptions::project_id).and(endpoints::id.eq(subscriptions::endpoint_id)),
            ))
            .filter(subscriptions::project_id.eq(project))
            .filter(subscriptions::deleted_at.is_null())
            .filter(endpoints::deleted_at.is_null())
            .select((SubscriptionPart::as_select(), EndpointPart::as_select()))
            .order(subscriptions::id)
            .into_boxed();
    if !wanted.is_everything {
        query = query.filter(
            subscriptions::endpoint_id
                .eq_any(&wanted.endpoint_ids)
                .or(endpoints::owner_id.eq_any(&wanted.owner_ids))
                .or(subscriptions::source_id.eq_any(&wanted.source_ids))
                .or(subscriptions::id.eq_any(&wanted.subscription_ids)),
        );
    }
    let rows: Vec<(SubscriptionPart, EndpointPart)> = query.load(conn).await?;
    let mut filters: HashMap<SubscriptionId, Vec<FilterRow>> = HashMap::new();
    if !rows.is_empty() {
        let ids: Vec<SubscriptionId> = rows.iter().map(|(subscription, _)| subscription.id).collect();
        for filter in filters_of(conn, project, &ids).await? {
            filters.entry(filter.subscription_id).or_default().push(filter);
        }
    }
    Ok(rows
        .into_iter()
        .map(|(subscription, endpoint)| Route {
            subscription_id: subscription.id,
            endpoint_id: subscription.endpoint_id,
            source_id: subscription.source_id,
            event_types: subscription.event_types.into_iter().flatten().collect(),
            filter: subscription.filter,
            filters: filters.remove(&subscription.id).unwrap_or_default(),
            function: subscription.function.map(Arc::from),
            delivery_mode: subscription.delivery_mode,
            retry: subscription.retry_config.and_then(|config| serde_json::from_value(config).ok()),
            owner_id: endpoint.owner_id,
            endpoint_status: endpoint.status,
        })
        .collect())
}

/// The filters of these subscriptions, without those that every new subscription has.
async fn filters_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    subscriptions: &[SubscriptionId],
) -> QueryResult<Vec<FilterRow>> {
    let nothing = || serde_json::Value::Object(serde_json::Map::new());
    let lets_all_through = subscription_filters::event_type
        .eq(EVERY_TYPE)
        .and(subscription_filters::enabled_at.is_not_null())
        .and(subscription_filters::headers.eq(nothing()))
        .and(subscription_filters::body.eq(nothing()))
        .and(subscription_filters::query.eq(nothing()))
        .and(subscription_filters::path.eq(nothing()));
    FilterRow::query()
        .filter(subscription_filters::project_id.eq(project))
        .filter(subscription_filters::subscription_id.eq_any(subscriptions))
        .filter(diesel::dsl::not(lets_all_through))
        .load(conn)
        .await
}
