//! The endpoint and the subscription behind a dynamic event: found by the exact URL, or made. Of requests for one URL at
//! the same instant one makes them and the others find them.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, result::Error, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    endpoint::{self, Endpoint, EndpointValues},
    ids::{EndpointId, ProjectId, SubscriptionId},
    subscription::{Subscription, SubscriptionValues},
    tables::subscriptions,
    text_array::TextArray,
};

/// What a dynamic event asks for.
#[derive(Clone)]
pub struct NewDynamicEndpoint<'n> {
    /// The endpoint to make where the project has none with its URL.
    pub endpoint: &'n EndpointValues,
    /// Its first secret.
    pub secret: &'n str,
    /// Event types that the subscription is to have from now on; none: as it has them, and all for a new one.
    pub event_types: &'n [String],
}

/// The first subscription of the project's endpoint with exactly this URL, or `None`.
///
/// # Errors
/// The database fails.
pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, url: &str) -> QueryResult<Option<SubscriptionId>> {
    let Some(endpoint) = endpoint::id_of_url(conn, project, url).await? else { return Ok(None) };
    Ok(first_subscription(conn, project, endpoint).await?.map(|(id, _)| id))
}

/// The subscription through which events for the URL are delivered, found or made, with the event types asked for.
///
/// # Errors
/// The database fails; nothing is changed.
pub async fn resolve(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    new: &NewDynamicEndpoint<'_>,
) -> QueryResult<SubscriptionId> {
    if let Some(endpoint) = endpoint::id_of_url(conn, project, &new.endpoint.url).await?
        && let Some((id, event_types)) = first_subscription(conn, project, endpoint).await?
        && (new.event_types.is_empty() || event_types.0 == new.event_types)
    {
        return Ok(id);
    }
    conn.transaction::<_, Error, _>(async |conn| {
        // Held to the end of the transaction, by everyone who would make an endpoint for this URL.
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind::<Text, _>(format!("{project} {}", new.endpoint.url))
            .execute(conn)
            .await?;
        let endpoint = match endpoint::id_of_url(conn, project, &new.endpoint.url).await? {
            Some(id) => id,
            None => Endpoint::insert(conn, project, new.endpoint, new.secret).await?.id,
        };
        match first_subscription(conn, project, endpoint).await? {
            Some((id, event_types)) => {
                if !new.event_types.is_empty() && event_types.0 != new.event_types {
                    set_event_types(conn, (project, id), new.event_types).await?;
                }
                Ok(id)
            }
            None => subscribe(conn, project, endpoint, new.event_types).await,
        }
    })
    .await
}

async fn first_subscription(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoint: EndpointId,
) -> QueryResult<Option<(SubscriptionId, TextArray)>> {
    subscriptions::table
        .filter(subscriptions::project_id.eq(project))
        .filter(subscriptions::endpoint_id.eq(endpoint))
        .filter(subscriptions::deleted_at.is_null())
        .order(subscriptions::id)
        .select((subscriptions::id, subscriptions::event_types))
        .first(conn)
        .await
        .optional()
}

async fn set_event_types(
    conn: &mut AsyncPgConnection,
    key: (ProjectId, SubscriptionId),
    event_types: &[String],
) -> QueryResult<()> {
    diesel::update(subscriptions::table.find(key))
        .set((
            subscriptions::event_types.eq(TextArray(event_types.to_vec())),
            subscriptions::updated_at.eq(diesel::dsl::now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

async fn subscribe(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoint: EndpointId,
    event_types: &[String],
) -> QueryResult<SubscriptionId> {
    let event_types = if event_types.is_empty() { vec!["*".into()] } else { event_types.to_vec() };
    let values = SubscriptionValues::plain(format!("dynamic-subscription-{endpoint}"), endpoint, event_types);
    Ok(Subscription::insert(conn, project, &values).await?.id)
}
