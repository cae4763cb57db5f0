//! What those who run the instance do to all of it: they retry what failed, in every project at once, and look after the
//! queues and the periodic jobs. Nobody else gets here, whatever their role in an organisation.

mod filter;
pub mod queues;
mod retention;
pub mod schedules;
mod wire;

use posthouse_boxed::boxed;
use posthouse_jobs::RunBatch;
use posthouse_schema::{
    ids::InstanceBatchId,
    instance_retry::{self, InstanceRetry, RetryDeletion},
};
use salvo::prelude::*;

use self::wire::{BegunRetryWire, InstanceRetryBody, InstanceRetryWire};
use crate::{
    auth,
    body::read_json,
    deliveries::wire::CountWire,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const UNKNOWN: &str = "batch not found";

/// The routes of who runs the instance.
pub fn router() -> Router {
    Router::new().push(retries()).push(schedules::router()).push(queues::router()).push(retention::router())
}

fn retries() -> Router {
    Router::with_path("admin/retry-event-deliveries")
        .post(begin_retry)
        .push(Router::with_path("count").get(count_retry))
        .push(Router::with_path("batches").get(list_retries))
        .push(Router::with_path("batch/{batch_id}").get(get_retry).delete(delete_retry))
}

/// Retries what failed in all projects
///
/// For instance administrators. Every delivery of every project that failed or was discarded within the time gets one more
/// attempt, in the background. A project in which a retry is under way is skipped; deliveries to endpoints that do not
/// receive stay as they are.
#[endpoint(tags("Administration"), operation_id = "BeginInstanceRetry", request_body = InstanceRetryBody)]
#[boxed]
pub async fn begin_retry(req: &mut Request, depot: &mut Depot) -> ApiResult<BegunRetryWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let body: InstanceRetryBody = read_json(req, &app).await?;
    let filter = filter::read(&body, chrono::Utc::now())?;
    let begun = instance_retry::begin_all_projects(&mut *app.conn().await?, &filter).await?;
    let (projects, skipped) = (begun.runs.len(), begun.skipped);
    tracing::info!(user.id = %user, batch.id = %begun.id, projects, skipped, "What failed is retried in all projects.");
    let jobs: Vec<RunBatch> =
        begun.runs.iter().map(|(project_id, run)| RunBatch { project_id: *project_id, batch_run_id: *run }).collect();
    // The runs are in the ledger, and the sweep takes up those that no job goes on with.
    if let Err(error) = app.queues.push_all(&jobs).await {
        tracing::warn!(batch.id = %begun.id, error = %error, "The runs of a batch wait for the sweep.");
    }
    Ok(Reply::ok("Retry of event deliveries processing", BegunRetryWire::new(&begun, filter.of_project())))
}

/// Counts what a retry in all projects would send again
///
/// For instance administrators. `time` has to be given. What goes to endpoints that do not receive is counted as well.
#[endpoint(tags("Administration"), operation_id = "CountInstanceRetry")]
#[boxed]
pub async fn count_retry(req: &mut Request, depot: &mut Depot) -> ApiResult<CountWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let filter = filter::read(&filter::of_query(req), chrono::Utc::now())?;
    let num = instance_retry::count_all_projects(&mut *app.conn().await?, &filter).await?;
    Ok(Reply::ok("event deliveries count successful", CountWire { num }))
}

/// Lists the retries in all projects
///
/// For instance administrators. The newest come first; what ended is kept for as long as events are.
#[endpoint(tags("Administration"), operation_id = "GetInstanceRetries")]
#[boxed]
pub async fn list_retries(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<InstanceRetryWire>> {
    let (app, _) = auth::instance_admin(depot).await?;
    let page = query::page::<InstanceBatchId>(req)?;
    let rows = InstanceRetry::list(&mut *app.conn().await?, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), InstanceRetryWire::from);
    Ok(Reply::ok("Batches fetched successfully", paged))
}

/// Reads how far a retry in all projects has come
///
/// For instance administrators.
#[endpoint(tags("Administration"), operation_id = "GetInstanceRetry")]
#[boxed]
pub async fn get_retry(req: &mut Request, depot: &mut Depot) -> ApiResult<InstanceRetryWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let row = InstanceRetry::find(&mut *app.conn().await?, id(req)?).await?;
    Ok(Reply::ok("Batch fetched successfully", row.ok_or(ApiError::NotFound(UNKNOWN))?.into()))
}

/// Deletes the record of a retry in all projects
///
/// For instance administrators. One that has not ended is refused, because it would stop without a trace.
#[endpoint(tags("Administration"), operation_id = "DeleteInstanceRetry")]
#[boxed]
pub async fn delete_retry(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, _) = auth::instance_admin(depot).await?;
    match InstanceRetry::delete(&mut *app.conn().await?, id(req)?).await? {
        RetryDeletion::Done => Ok(Reply::ok("Batch deleted successfully", NoData)),
        RetryDeletion::NotFound => Err(ApiError::NotFound(UNKNOWN)),
        RetryDeletion::Unfinished => Err(ApiError::invalid("the batch has not ended, and can be deleted once it has")),
    }
}

fn id(req: &Request) -> Result<InstanceBatchId, ApiError> {
    req.param::<String>("batch_id").and_then(|id| id.parse().ok()).ok_or(ApiError::NotFound(UNKNOWN))
}
