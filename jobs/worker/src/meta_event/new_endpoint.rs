//! An endpoint that the worker has made, as a meta event: in the shape in which the API tells of those that it makes, without
//! secrets and credentials.

use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{endpoint::Endpoint, project_config::ProjectConfig, words::MetaEventKind};
use serde_json::json;

/// The wait for an endpoint that sets none, in seconds.
const HTTP_TIMEOUT_DEFAULT: i32 = 10;

/// The announcement of a new endpoint. `None`: its project has not asked to be told.
#[must_use]
pub fn of_endpoint(config: &ProjectConfig, row: &Endpoint) -> Option<DeliverMetaEvent> {
    let kind = MetaEventKind::EndpointCreated;
    if !config.meta_event.wants(kind) {
        return None;
    }
    let timeout = if row.http_timeout_seconds == 0 { HTTP_TIMEOUT_DEFAULT } else { row.http_timeout_seconds };
    let authentication = row.authentication().ok().flatten();
    let authentication = authentication.as_ref().and_then(|value| value.get("type"));
    let data = json!({
        "uid": row.id,
        "project_id": row.project_id,
        "url": row.url,
        "name": row.name,
        "secrets": [],
        "advanced_signatures": row.advanced_signatures,
        "description": row.description,
        "status": row.status,
        "http_timeout": timeout,
        "authentication": authentication.map(|kind| json!({"type": kind})),
        "rate_limit": row.rate_limit,
        "rate_limit_duration": row.rate_limit_duration_seconds,
        "content_type": row.content_type,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": null,
    });
    DeliverMetaEvent::announce(row.project_id, kind, &data).ok()
}
