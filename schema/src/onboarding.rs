//! Endpoints and subscriptions made together, for many rows at once.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgArrayExpressionMethods, QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::{
    endpoint::{self, Endpoint, EndpointValues, random_secret},
    ids::{EndpointId, ProjectId},
    subscription::{Subscription, SubscriptionValues},
    tables::{projects, subscriptions},
    text_array::TextArray,
};

/// What a row asks for.
#[derive(Debug, Clone)]
pub struct Onboarded {
    /// The endpoint, unless the project has one with its URL.
    pub endpoint: EndpointValues,
    /// What it subscribes to: an exact event type, or `*`.
    pub event_type: String,
}

/// Makes what is missing of the rows, all or nothing, and returns the endpoints that were made. Batches of one project run
/// one after the other, so that a URL in two of them makes one endpoint. `None`: there is no such project.
///
/// # Errors
/// The database fails; nothing is made.
pub async fn onboard(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    rows: &[Onboarded],
) -> QueryResult<Option<Vec<Endpoint>>> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let live = projects::table.filter(projects::id.eq(project)).filter(projects::deleted_at.is_null());
        let locked: Option<ProjectId> = live.select(projects::id).for_no_key_update().first(conn).await.optional()?;
        if locked.is_none() {
            return Ok(None);
        }
        let mut made = Vec::new();
        for row in rows {
            let endpoint = match endpoint::id_of_url(conn, project, &row.endpoint.url).await? {
                Some(found) => found,
                None => {
                    let new = Endpoint::insert(conn, project, &row.endpoint, &random_secret()).await?;
                    let id = new.id;
                    made.push(new);
                    id
                }
            };
            if !is_subscribed(conn, project, endpoint, &row.event_type).await? {
                Subscription::insert(conn, project, &subscription(endpoint, row)).await?;
            }
        }
        Ok(Some(made))
    })
    .await
}

async fn is_subscribed(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoint: EndpointId,
    event_type: &str,
) -> QueryResult<bool> {
    let types = |name: &str| TextArray(vec![name.into()]);
    let found = subscriptions::table
        .filter(subscriptions::project_id.eq(project))
        .filter(subscriptions::endpoint_id.eq(endpoint))
        .filter(subscriptions::deleted_at.is_null())
        .filter(
            subscriptions::event_types.contains(types(event_type)).or(subscriptions::event_types.contains(types("*"))),
        );
    diesel::select(diesel::dsl::exists(found)).get_result(conn).await
}

fn subscription(endpoint_id: EndpointId, row: &Onboarded) -> SubscriptionValues {
    let name = format!("{}-{endpoint_id}-subscription", row.endpoint.name);
    SubscriptionValues::plain(name, endpoint_id, vec![row.event_type.clone()])
}
