//! Delivery attempts: read and list.

use posthouse_boxed::boxed;
use posthouse_schema::{delivery_attempt, ids::DeliveryAttemptId};
use salvo::prelude::*;

use super::{find, wire::AttemptWire};
use crate::{
    auth::{Need, scoped},
    error::{ApiError, ApiResult},
    redaction,
    reply::Reply,
};

/// Attempts that one answer shows.
const ATTEMPTS_MAX: i64 = 10;

/// Lists a delivery's attempts
///
/// The newest ten, the oldest of them first.
#[endpoint(tags("Delivery Attempts"), operation_id = "GetDeliveryAttempts")]
#[boxed]
pub async fn list_attempts(req: &mut Request, depot: &mut Depot) -> ApiResult<Vec<AttemptWire>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let mut conn = app.conn().await?;
    let delivery = find(req, &mut conn, project.id, &access)
        .await?
        .ok_or_else(|| ApiError::invalid("event delivery not found"))?;
    let rows = delivery_attempt::list(&mut conn, project.id, delivery.id, ATTEMPTS_MAX).await?;
    Ok(Reply::ok(
        "Event delivery attempts fetched successfully",
        rows.into_iter().map(|row| redaction::attempt(&access, row.into())).collect::<Vec<_>>(),
    ))
}

/// Reads a delivery attempt
#[endpoint(tags("Delivery Attempts"), operation_id = "GetDeliveryAttempt")]
#[boxed]
pub async fn get_attempt(req: &mut Request, depot: &mut Depot) -> ApiResult<AttemptWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let not_found = || ApiError::invalid("event delivery attempt not found");
    let id: DeliveryAttemptId =
        req.param::<String>("attempt_id").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let mut conn = app.conn().await?;
    let delivery = find(req, &mut conn, project.id, &access).await?.ok_or_else(not_found)?;
    let row = delivery_attempt::find(&mut conn, project.id, delivery.id, id).await?.ok_or_else(not_found)?;
    Ok(Reply::ok("Event delivery attempt fetched successfully", redaction::attempt(&access, row.into())))
}
