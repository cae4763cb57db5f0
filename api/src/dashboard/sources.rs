//! Sources, how they are doing, and the messages that they could not take.

use chrono::{TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_jobs::queue::SourceState;
use posthouse_pages::{
    connection_test::ConnectionTest,
    field::Input,
    frame::Place,
    rejected::{self as rejected_pages, RejectedLine, RejectedList, RejectedView},
    source::{self as pages, SourceView},
    sources::{self as list_page, SourceHealth, SourceLine, SourceList},
    values::Values,
};
use posthouse_schema::{
    ids::{RejectedMessageId, SourceId},
    rejected_message::{RejectedFilter, RejectedMessage},
    source::{Source, SourceFilter},
    words::SourceKind,
};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    answer::{PageError, PageResult, Redirection},
    form::Form,
    query, source_form, test_receiver,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    locked,
    rejected_messages::{delete_rejected_message, redrive_rejected_message, redrive_rejected_messages},
    sources::{SourceStatusWire, delete_source},
};

/// How far back refused messages are listed.
const REJECTED_SINCE: TimeDelta = TimeDelta::days(7);

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{source_id}")
        .get(show)
        .push(Router::with_path("edit").get(source_form::edit).post(source_form::update))
        .push(Router::with_path("test").post(source_form::test))
        .push(Router::with_path("pause").post(source_form::pause))
        .push(Router::with_path("resume").post(source_form::resume))
        .push(Router::with_path("delete").post(delete));
    let new = Router::with_path("new").get(source_form::new).post(source_form::create);
    let rejected = Router::with_path("{rejected_message_id}")
        .get(show_rejected)
        .push(Router::with_path("redrive").post(redrive_one))
        .push(Router::with_path("delete").post(delete_rejected));
    Router::new().push(Router::with_path("sources").get(list).push(new).push(one)).push(
        Router::with_path("rejected")
            .get(list_rejected)
            .push(Router::with_path("redrive").post(redrive_all))
            .push(rejected),
    )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::View).await?;
    query::complete(req);
    let request = query::page::<SourceId>(req)?;
    let found = Source::list(&mut *visit.conn().await?, visit.id(), &SourceFilter::default(), &request).await?;
    let pager = query::pager(visit.path("/sources"), Vec::new(), &found, |row| row.id.to_string());
    let mut rows = Vec::with_capacity(found.rows.len());
    for row in found.rows {
        rows.push(SourceLine {
            health: health(&visit, &row).await,
            id: row.id.to_string(),
            name: row.name,
            kind: row.kind.to_string(),
            provider: row.provider,
            is_disabled: row.is_disabled,
            created_at: row.created_at,
        });
    }
    Ok(page(list_page::page(visit.frame(), &SourceList { rows, pager })))
}

/// How a source of a broker is doing; `None` for other kinds, and while Redis is away.
async fn health(visit: &ProjectVisit, row: &Source) -> Option<SourceHealth> {
    if row.kind != SourceKind::PubSub {
        return None;
    }
    let state: SourceState = visit.visit.app.queues.source_state(row.id).await.ok()?.unwrap_or_default();
    let status = SourceStatusWire::new(row.id.to_string(), state, Utc::now());
    Some(SourceHealth {
        is_connected: status.is_connected,
        received: status.received,
        accepted: status.accepted,
        rejected: status.rejected,
        last_message_at: status.last_message_at,
        last_error: status.last_error.zip(status.last_error_at),
        failing: status.failing_since.zip(status.failing_reason),
    })
}

/// The source that the path names.
///
/// # Errors
/// 404 where there is none in the project.
pub async fn find(req: &Request, visit: &ProjectVisit) -> Result<Source, PageError> {
    let id: SourceId = id(req, "source_id")?;
    Source::find(&mut *visit.conn().await?, visit.id(), id).await?.ok_or_else(PageError::not_found)
}

/// Shows one.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::View).await?;
    let row = find(req, &visit).await?;
    shown(&visit, (req, row), None).await
}

/// The page of a source, with what a test of it came to.
///
/// # Errors
/// 503 when something that it needs is away.
pub async fn shown(visit: &ProjectVisit, (req, row): (&Request, Source), test: Option<ConnectionTest>) -> PageResult {
    let health = health(visit, &row).await;
    let url = format!("{}/ingest/{}", test_receiver::host(req, &visit.visit.app), row.mask_id);
    let verifier = locked::document(row.verifier());
    let verifier = verifier.as_ref().and_then(|verifier| verifier.get("type")).and_then(Value::as_str);
    let kind = source_form::kind_of(&row).ok().flatten();
    let view = SourceView {
        id: row.id.to_string(),
        settings: settings(&row),
        is_editable: kind.is_some(),
        test,
        verifier: verifier.filter(|kind| !kind.is_empty()).unwrap_or("none").to_string(),
        url: (row.kind == SourceKind::Http).then_some(url),
        name: row.name,
        kind: row.kind.to_string(),
        provider: row.provider,
        is_disabled: row.is_disabled,
        health,
        created_at: row.created_at,
    };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// What it is set to, without what is secret and without functions. Nothing where it cannot be read.
fn settings(row: &Source) -> Vec<(String, String)> {
    let Some(kind) = source_form::kind_of(row).ok().flatten() else { return Vec::new() };
    let Ok(document) = source_form::document(row, kind) else { return Vec::new() };
    let fields = kind.all_fields();
    let values = Values::of(&fields, &document);
    let shown = fields.iter().filter(|field| field.name != "name" && !matches!(field.input, Input::Area(_)));
    shown
        .map(|field| (field.label.to_string(), values.text(field.name).to_string()))
        .filter(|(_, text)| !text.is_empty() && text != "0")
        .collect()
}

/// Deletes one.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let row = find(req, &visit).await?;
    let done = visit.run(delete_source, visit.on(&[("source_id", row.id.to_string())])).await?;
    Ok(said(visit.path("/sources"), &done, "The source is deleted."))
}

/// Lists the messages that could not become events.
#[handler]
#[boxed]
pub async fn list_rejected(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::View).await?;
    query::complete(req);
    let filter = RejectedFilter {
        source_ids: crate::query::ids(req, "sourceId")?,
        from: Some(visit.frame().now - REJECTED_SINCE),
        ..RejectedFilter::default()
    };
    let request = query::page::<RejectedMessageId>(req)?;
    let mut conn = visit.conn().await?;
    let found = RejectedMessage::list(&mut conn, visit.id(), &filter, &request).await?;
    let pager =
        query::pager(visit.path("/rejected"), query::kept(req, &["sourceId"]), &found, |row| row.id.to_string());
    let ids: Vec<SourceId> = found.rows.iter().map(|row| row.source_id).collect();
    let sources = Source::find_many(&mut conn, visit.id(), &ids).await?;
    drop(conn);
    let rows = found.rows.into_iter().map(|row| line(&row, &sources)).collect();
    Ok(page(rejected_pages::list(visit.frame(), &RejectedList { rows, pager })))
}

fn line(row: &RejectedMessage, sources: &[Source]) -> RejectedLine {
    let source = sources.iter().find(|source| source.id == row.source_id);
    RejectedLine {
        id: row.id.to_string(),
        source: source.map_or_else(|| row.source_id.to_string(), |source| source.name.clone()),
        reason: row.reason.clone(),
        detail: row.detail.clone(),
        bytes: row.payload_bytes,
        is_waiting: row.redrive_requested_at.is_some(),
        at: row.id.created_at(),
    }
}

/// Shows one of them.
#[handler]
#[boxed]
pub async fn show_rejected(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::View).await?;
    let message: RejectedMessageId = id(req, "rejected_message_id")?;
    let mut conn = visit.conn().await?;
    let (row, payload) =
        RejectedMessage::find(&mut conn, visit.id(), message).await?.ok_or_else(PageError::not_found)?;
    let sources = Source::find_many(&mut conn, visit.id(), &[row.source_id]).await?;
    drop(conn);
    let view = RejectedView {
        line: line(&row, &sources),
        is_whole: row.is_whole,
        redrives: row.redrive_count,
        metadata: row.metadata.to_string(),
        payload,
    };
    Ok(page(rejected_pages::one(visit.frame(), &view)))
}

/// Has one read again.
#[handler]
#[boxed]
pub async fn redrive_one(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let message: RejectedMessageId = id(req, "rejected_message_id")?;
    let on = [("rejected_message_id", message.to_string())];
    let done = visit.run(redrive_rejected_message, visit.on(&on)).await?;
    Ok(said(visit.path("/rejected"), &done, "The message will be read again."))
}

/// Has all of the list read again.
#[handler]
#[boxed]
pub async fn redrive_all(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let form = Form::of(depot);
    let sources: Vec<(String, String)> =
        form.all("sourceId").iter().map(|id| ("sourceId".to_string(), (*id).to_string())).collect();
    let done = visit.run(redrive_rejected_messages, visit.on(&[]).with_query(&sources)).await?;
    let number = done.data.get("num").and_then(Value::as_i64).unwrap_or(0);
    Ok(said(visit.path("/rejected"), &done, &format!("{number} messages will be read again.")))
}

/// Deletes one of them.
#[handler]
#[boxed]
pub async fn delete_rejected(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Sources, Need::Manage).await?;
    let message: RejectedMessageId = id(req, "rejected_message_id")?;
    let on = [("rejected_message_id", message.to_string())];
    let done = visit.run(delete_rejected_message, visit.on(&on)).await?;
    let to = visit.path("/rejected");
    Ok(match done.problem(&[]) {
        Some(problem) => Redirection::to(to).saying(false, problem.text).into(),
        None => Redirection::to(to).saying(true, "The message is deleted.").into(),
    })
}
