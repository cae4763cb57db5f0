//! Endpoints: the list.

use chrono::{TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_pages::{
    endpoints::{self as pages, EndpointLine, EndpointList},
    frame::Place,
};
use posthouse_schema::{
    deadline,
    endpoint::{Endpoint, EndpointFilter},
    event_delivery::{self, EndpointTotals},
    ids::EndpointId,
};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult},
    endpoint, endpoint_form, query,
    visit::{ProjectVisit, page},
};
use crate::auth::Need;

/// What stays from page to page.
const KEPT: [&str; 2] = ["q", "ownerId"];

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("endpoints")
        .get(list)
        .push(Router::with_path("new").get(endpoint_form::new).post(endpoint_form::create))
        .push(endpoint::router())
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::View).await?;
    query::complete(req);
    let filter = EndpointFilter {
        name_part: crate::query::text(req, "q")?,
        owner_id: crate::query::text(req, "ownerId")?,
        ids: Vec::new(),
    };
    let request = query::page::<EndpointId>(req)?;
    let found = Endpoint::list(&mut *visit.conn().await?, visit.id(), &filter, &request).await?;
    let pager = query::pager(visit.path("/endpoints"), query::kept(req, &KEPT), &found, |row| row.id.to_string());
    let ids: Vec<EndpointId> = found.rows.iter().map(|row| row.id).collect();
    let totals = totals(&visit, &ids).await?;
    // A list is worth having without them, as while Redis is away.
    let (breakers, now) = (visit.visit.app.queues.open_breakers("").await.ok().flatten(), Utc::now());
    let line = |row: Endpoint| EndpointLine {
        id: row.id.to_string(),
        breaker: breakers.as_ref().map(|breakers| breakers.state(row.id, now).to_string()),
        totals: totals.as_ref().map(|totals| {
            totals.iter().find(|of| of.endpoint_id == row.id).map_or((0, 0), |of| (of.success, of.failure))
        }),
        name: row.name,
        url: row.url,
        owner: row.owner_id,
        status: row.status.to_string(),
        created_at: row.created_at,
    };
    let view = EndpointList {
        name_part: filter.name_part.unwrap_or_default(),
        owner: filter.owner_id.unwrap_or_default(),
        rows: found.rows.into_iter().map(line).collect(),
        pager,
    };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// How the deliveries of the last 24 hours went; `None`: counting them took too long.
pub async fn totals(visit: &ProjectVisit, ids: &[EndpointId]) -> Result<Option<Vec<EndpointTotals>>, PageError> {
    if ids.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let now = visit.frame().now;
    let day = (now - TimeDelta::hours(24), now);
    match event_delivery::endpoint_totals(&mut *visit.conn().await?, visit.id(), ids, day).await {
        Err(error) if deadline::has_passed(&error) => Ok(None),
        other => Ok(Some(other?)),
    }
}
