//! Meta events: the list, and one of them.

use chrono::TimeDelta;
use posthouse_boxed::boxed;
use posthouse_pages::{
    frame::Place,
    meta_events::{self as pages, MetaAttemptView, MetaEventLine, MetaEventList, MetaEventView},
};
use posthouse_schema::{ids::MetaEventId, meta_event::MetaEvent};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult},
    query,
    visit::{ProjectVisit, id, page, said},
};
use crate::{auth::Need, meta_events::resend_meta_event};

/// How far back they are listed.
const SINCE: TimeDelta = TimeDelta::days(7);

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("meta-events")
        .get(list)
        .push(Router::with_path("{meta_event_id}").get(show).push(Router::with_path("resend").post(resend)))
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::MetaEvents, Need::View).await?;
    query::complete(req);
    let request = query::page::<MetaEventId>(req)?;
    let now = visit.frame().now;
    let found = MetaEvent::list(&mut *visit.conn().await?, visit.id(), (now - SINCE, now), &request).await?;
    let pager = query::pager(visit.path("/meta-events"), Vec::new(), &found, |row| row.id.to_string());
    let rows = found.rows.iter().map(line).collect();
    let view = MetaEventList { is_enabled: visit.project.config.meta_event.is_enabled, rows, pager };
    Ok(page(pages::list(visit.frame(), &view)))
}

fn line(row: &MetaEvent) -> MetaEventLine {
    MetaEventLine {
        id: row.id.to_string(),
        event_type: row.event_type.clone(),
        status: row.status.to_string(),
        attempts: row.attempt_count,
        at: row.id.created_at(),
    }
}

/// Shows one.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::MetaEvents, Need::View).await?;
    let found = MetaEvent::find(&mut *visit.conn().await?, visit.id(), id(req, "meta_event_id")?).await?;
    let row = found.ok_or_else(PageError::not_found)?;
    let line = line(&row);
    let attempt = row.attempt.map(|attempt| MetaAttemptView {
        status_code: attempt.status_code.map(i32::from),
        error: attempt.error,
        request_headers: attempt.request_headers.0,
        response_headers: attempt.response_headers.0,
        response_body: attempt.response_body.unwrap_or_default(),
    });
    Ok(page(pages::one(visit.frame(), &MetaEventView { line, payload: row.payload, attempt })))
}

/// Sends it again.
#[handler]
#[boxed]
pub async fn resend(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::MetaEvents, Need::Manage).await?;
    let meta_event: MetaEventId = id(req, "meta_event_id")?;
    let done = visit.run(resend_meta_event, visit.on(&[("meta_event_id", meta_event.to_string())])).await?;
    Ok(said(visit.path(&format!("/meta-events/{meta_event}")), &done, "It will be sent again."))
}
