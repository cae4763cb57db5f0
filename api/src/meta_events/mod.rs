//! Meta events, what happened to the project itself: list, read, send again; and the announcement of what the API changes.

mod announce;
mod wire;

use posthouse_boxed::boxed;
use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{ids::MetaEventId, meta_event::MetaEvent};
use salvo::prelude::*;

pub use self::announce::announce;
use self::wire::MetaEventWire;
use crate::{
    auth::{Need, authorized},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::Reply,
};

const UNKNOWN: &str = "meta event not found";

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("meta-events").get(list_meta_events).push(
        Router::with_path("{meta_event_id}")
            .get(get_meta_event)
            .push(Router::with_path("resend").put(resend_meta_event)),
    )
}

/// Lists meta events
///
/// Query: `startDate` and `endDate` (the last seven days where they are missing), and the page.
#[endpoint(tags("Meta Events"), operation_id = "GetMetaEventsPaged")]
#[boxed]
pub async fn list_meta_events(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<MetaEventWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let window = query::window(req, chrono::Utc::now())?;
    let page = query::page::<MetaEventId>(req)?;
    let rows = MetaEvent::list(&mut *app.conn().await?, project.id, window, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), MetaEventWire::from);
    Ok(Reply::ok("Meta events fetched successfully", paged))
}

/// Reads a meta event
#[endpoint(tags("Meta Events"), operation_id = "GetMetaEvent")]
#[boxed]
pub async fn get_meta_event(req: &mut Request, depot: &mut Depot) -> ApiResult<MetaEventWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = MetaEvent::find(&mut *app.conn().await?, project.id, id(req)?).await?;
    Ok(Reply::ok("Meta event fetched successfully", row.ok_or(ApiError::NotFound(UNKNOWN))?.into()))
}

/// Sends a meta event again
///
/// Whatever became of it. One that ran out of attempts gets one more.
#[endpoint(tags("Meta Events"), operation_id = "ResendMetaEvent")]
#[boxed]
pub async fn resend_meta_event(req: &mut Request, depot: &mut Depot) -> ApiResult<MetaEventWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req)?;
    let row = MetaEvent::reschedule(&mut *app.conn().await?, project.id, id).await?;
    let row = row.ok_or(ApiError::NotFound(UNKNOWN))?;
    // From here on it is due in the ledger, and the sweep would send it as well.
    let job = DeliverMetaEvent { project_id: project.id, meta_event_id: id, new: None };
    app.queues.push(&job).await.map_err(ApiError::queue)?;
    Ok(Reply::ok("Meta event processed for retry successfully", row.into()))
}

fn id(req: &Request) -> Result<MetaEventId, ApiError> {
    req.param::<String>("meta_event_id").and_then(|id| id.parse().ok()).ok_or(ApiError::NotFound(UNKNOWN))
}
