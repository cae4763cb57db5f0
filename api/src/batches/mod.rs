//! Retries and replays of everything that a query matched: how far they have come, and how they are called off.

pub mod wire;

use posthouse_boxed::boxed;
use posthouse_jobs::RunBatch;
use posthouse_schema::{
    batch_run::{self, BatchRun},
    ids::{BatchRunId, ProjectId},
    words::{BatchKind, BatchStatus},
};
use salvo::{http::HeaderValue, prelude::*};
use serde::Serialize;

use self::wire::BatchWire;
use crate::{
    app::App,
    auth::{Need, authorized},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::Reply,
};

const UNKNOWN: ApiError = ApiError::NotFound("batch not found");
/// Names the batch that was begun, which the contract's answer does not.
const BATCH_ID: &str = "x-posthouse-batch-id";

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("batches")
        .get(list_batches)
        .push(Router::with_path("{batch_id}").get(get_batch).push(Router::with_path("cancel").post(cancel_batch)))
}

/// Begins a batch over what the filter lets through, and names it in a header of the answer.
///
/// # Errors
/// 400 with `is_active` where the project may not have another one now; 503 when Redis did not take its job.
pub async fn begin(
    app: &App,
    project_id: ProjectId,
    (kind, filter): (BatchKind, &impl Serialize),
    is_active: &'static str,
    res: &mut Response,
) -> Result<BatchRunId, ApiError> {
    let filter = serde_json::to_value(filter).map_err(|error| ApiError::Internal(error.into()))?;
    let mut conn = app.conn().await?;
    let run = BatchRun::insert(&mut conn, project_id, kind, &filter).await?;
    let batch_run_id = run.ok_or_else(|| ApiError::invalid(is_active))?;
    if let Err(error) = app.queues.push(&RunBatch { project_id, batch_run_id }).await {
        batch_run::end(&mut conn, (project_id, batch_run_id), BatchStatus::Failed).await?;
        return Err(ApiError::queue(error));
    }
    if let Ok(id) = HeaderValue::from_str(&batch_run_id.to_string()) {
        res.headers_mut().insert(BATCH_ID, id);
    }
    Ok(batch_run_id)
}

/// Lists the project's batches
///
/// Retries and replays of everything that a query matched, the newest first. What has ended is kept for as long as events are.
#[endpoint(tags("Batches"), operation_id = "GetBatches")]
#[boxed]
pub async fn list_batches(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<BatchWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let page = query::page::<BatchRunId>(req)?;
    let rows = BatchRun::list(&mut *app.conn().await?, project.id, &page).await?;
    Ok(Reply::ok("Batches fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), BatchWire::from)))
}

/// Reads how far a batch has come
///
/// Of a replay that is only tried, the report says how many deliveries it would make, and to whom.
#[endpoint(tags("Batches"), operation_id = "GetBatch")]
#[boxed]
pub async fn get_batch(req: &mut Request, depot: &mut Depot) -> ApiResult<BatchWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = BatchRun::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    Ok(Reply::ok("Batch fetched successfully", row.into()))
}

/// Calls a batch off
///
/// It enqueues nothing more. What it has enqueued before goes on. One that has ended stays as it is, which is an error.
#[endpoint(tags("Batches"), operation_id = "CancelBatch")]
#[boxed]
pub async fn cancel_batch(req: &mut Request, depot: &mut Depot) -> ApiResult<BatchWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req)?;
    let mut conn = app.conn().await?;
    let is_cancelled = batch_run::end(&mut conn, (project.id, id), BatchStatus::Cancelled).await?;
    let row = BatchRun::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    if !is_cancelled {
        return Err(ApiError::invalid(format!("the batch is {}, and cannot be called off", row.status)));
    }
    Ok(Reply::ok("Batch cancelled successfully", row.into()))
}

fn id(req: &Request) -> Result<BatchRunId, ApiError> {
    req.param::<String>("batch_id").and_then(|id| id.parse().ok()).ok_or(UNKNOWN)
}
