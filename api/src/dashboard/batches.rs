//! Batches: how far they have come, and calling them off.

use posthouse_boxed::boxed;
use posthouse_pages::{
    batches::{self as pages, BatchLine, BatchList, BatchView, Report},
    frame::Place,
};
use posthouse_schema::{
    batch_report::BatchReport,
    batch_run::BatchRun,
    endpoint::Endpoint,
    ids::{BatchRunId, EndpointId},
};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    answer::{PageError, PageResult},
    query,
    visit::{ProjectVisit, id, page, said},
};
use crate::{auth::Need, batches::cancel_batch};

/// Longest text of one condition that is shown.
const ASKED_CHARS_MAX: usize = 80;

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{batch_id}").get(show).push(Router::with_path("cancel").post(cancel));
    Router::with_path("batches").get(list).push(one)
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Batches, Need::View).await?;
    query::complete(req);
    let request = query::page::<BatchRunId>(req)?;
    let found = BatchRun::list(&mut *visit.conn().await?, visit.id(), &request).await?;
    let pager = query::pager(visit.path("/batches"), Vec::new(), &found, |row| row.id.to_string());
    let rows = found.rows.into_iter().map(line).collect();
    Ok(page(pages::page(visit.frame(), &BatchList { rows, pager })))
}

/// Shows how far one has come, and what a trial has found out.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Batches, Need::View).await?;
    let batch: BatchRunId = id(req, "batch_id")?;
    let mut conn = visit.conn().await?;
    let row = BatchRun::find(&mut conn, visit.id(), batch).await?.ok_or_else(PageError::not_found)?;
    let found = row.report.clone().and_then(|report| serde_json::from_value::<BatchReport>(report).ok());
    let report = match found {
        None => None,
        Some(found) => {
            let ids: Vec<EndpointId> = found.endpoints.keys().copied().collect();
            let names = Endpoint::find_many(&mut conn, visit.id(), &ids).await?;
            let name = |id: EndpointId| {
                names.iter().find(|row| row.id == id).map_or_else(|| id.to_string(), |row| row.name.clone())
            };
            let mut endpoints: Vec<(String, String, u64)> =
                found.endpoints.iter().map(|(id, number)| (id.to_string(), name(*id), *number)).collect();
            endpoints.sort_by_key(|(.., number)| std::cmp::Reverse(*number));
            let BatchReport { events, unmatched, deliveries, others, .. } = found;
            Some(Report { events, unmatched, deliveries, endpoints, others })
        }
    };
    drop(conn);
    Ok(page(pages::one(visit.frame(), &BatchView { line: line(row), report })))
}

fn line(row: BatchRun) -> BatchLine {
    BatchLine {
        id: row.id.to_string(),
        kind: row.kind.to_string(),
        status: row.status.to_string(),
        done: row.done,
        reached_at: row.reached_at(),
        asked: asked(&row.filter),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// The conditions of a filter that says anything.
fn asked(filter: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) if values.is_empty() => None,
        Value::Array(values) => Some(
            values
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_string))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        other => Some(other.to_string()),
    };
    let conditions = filter.as_object().into_iter().flatten();
    let shown = |text: String| text.chars().take(ASKED_CHARS_MAX).collect();
    conditions.filter_map(|(key, value)| Some((key.replace('_', " "), shown(text(value)?)))).collect()
}

/// Calls one off.
#[handler]
#[boxed]
pub async fn cancel(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Batches, Need::Manage).await?;
    let batch: BatchRunId = id(req, "batch_id")?;
    let done = visit.run(cancel_batch, visit.on(&[("batch_id", batch.to_string())])).await?;
    Ok(said(visit.path(&format!("/batches/{batch}")), &done, "The batch is called off."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_asked_for_is_said() {
        let filter = json!({"event_type": null, "statuses": ["Failure", "Discarded"], "endpoint_ids": [], "from": "2026-01-01T00:00:00Z"});
        assert_eq!(
            asked(&filter),
            [
                ("from".to_string(), "2026-01-01T00:00:00Z".to_string()),
                ("statuses".to_string(), "Failure, Discarded".to_string())
            ]
        );
        assert!(asked(&Value::Null).is_empty());
    }
}
