//! Which events a query means, contract section 2.4.

use posthouse_schema::{
    endpoint,
    event::EventFilter,
    ids::{EndpointId, ProjectId},
    pool::PooledConnection,
};
use salvo::Request;

use crate::{auth::Access, error::ApiError, query};

/// The filter that the request asks for.
///
/// # Errors
/// 400 for what cannot be read; 401 for an endpoint out of the caller's reach.
pub async fn read(
    req: &Request,
    conn: &mut PooledConnection,
    project: ProjectId,
    access: &Access,
) -> Result<EventFilter, ApiError> {
    let (from, to) = query::window(req, chrono::Utc::now())?;
    let endpoint_ids: Vec<EndpointId> = access.endpoints(query::ids(req, "endpointId")?)?;
    let mut endpoint_ids = (!endpoint_ids.is_empty()).then_some(endpoint_ids);
    if let Some(owner) = query::text(req, "ownerId")? {
        let mut of_owner = endpoint::ids_of_owner(conn, project, &owner).await?;
        of_owner.retain(|id| endpoint_ids.as_ref().is_none_or(|wanted| wanted.contains(id)));
        endpoint_ids = Some(of_owner);
    }
    Ok(EventFilter {
        source_ids: query::ids(req, "sourceId")?,
        endpoint_ids,
        idempotency_key: query::text(req, "idempotencyKey")?,
        broker_message_id: query::text(req, "brokerMessageId")?,
        from: Some(from),
        to: Some(to),
        targets: None,
    })
}
