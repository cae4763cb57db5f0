//! Onboarding: many endpoints with their subscriptions by one request, made by the worker in batches.

mod csv_file;
mod multipart;
mod rows;
mod wire;

use posthouse_boxed::boxed;
use posthouse_jobs::{OnboardBatch, OnboardRow};
use posthouse_schema::{ids::EventId, project::Project, words::ProjectKind};
use salvo::{http::header::CONTENT_TYPE, prelude::*};

use self::wire::{OnboardAccepted, OnboardBody, OnboardChecked, OnboardItem, OnboardWire};
use crate::{
    app::App,
    auth::{Need, authorized},
    body,
    error::{ApiError, ApiResult},
    query,
    reply::Reply,
};

/// Rows of one request.
const ITEMS_MAX: usize = 1_000;
/// Rows of one job.
const BATCH_ROWS: usize = 50;
/// Bytes of one request; a file of full rows is larger than other bodies.
const BYTES_MAX: usize = 10 << 20;

/// The route below a project.
pub fn router() -> Router {
    Router::with_path("onboard").post(onboard)
}

/// Makes many endpoints with subscriptions
///
/// JSON, or `multipart/form-data` whose field `file` is CSV with the columns `name`, `url`, and where you like `event_type`,
/// `auth_username`, `auth_password`. With `?dry_run=true` the rows are only checked. A request with a faulty row makes
/// nothing; otherwise batches of 50 are queued. An endpoint with the same URL is used again.
#[endpoint(tags("Onboard"), operation_id = "BulkOnboard", request_body = OnboardBody)]
#[boxed]
pub async fn onboard(req: &mut Request, depot: &mut Depot) -> ApiResult<OnboardWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    if project.kind != ProjectKind::Outgoing {
        return Err(ApiError::invalid("bulk onboard is only supported for outgoing projects"));
    }
    let items = items(req).await?;
    if items.is_empty() {
        return Err(ApiError::invalid("items list cannot be empty"));
    }
    if items.len() > ITEMS_MAX {
        return Err(ApiError::invalid(format!("items: at most {ITEMS_MAX} are accepted")));
    }
    let total_rows = items.len();
    let (rows, errors) = rows::check(items, &project, app.settings.endpoint_rules.as_deref());
    let checked = |errors| OnboardWire::Checked(OnboardChecked { total_rows, valid_count: rows.len(), errors });
    if query::one(req, "dry_run").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(Reply::ok("Dry run validation complete", checked(errors)));
    }
    if !errors.is_empty() {
        return Ok(Reply::refused("Validation failed", checked(errors)));
    }
    let batch_count = enqueue(&app, &project, rows).await?;
    let message = "Bulk onboard request accepted for processing".into();
    let accepted = OnboardAccepted { batch_count, total_items: total_rows, message };
    Ok(Reply::accepted("Bulk onboard request accepted", OnboardWire::Accepted(accepted)))
}

async fn items(req: &mut Request) -> Result<Vec<OnboardItem>, ApiError> {
    let content_type = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = multipart::boundary(content_type);
    let is_form = content_type.to_ascii_lowercase().starts_with("multipart/");
    let bytes = body::read_at_most(req, BYTES_MAX).await?;
    match (is_form, form) {
        (false, _) => {
            let body: OnboardBody = body::parse(&bytes)?;
            Ok(body.items.unwrap_or_default())
        }
        (true, Some(boundary)) => {
            let file = multipart::field(&bytes, &boundary, "file");
            csv_file::read(file.ok_or_else(|| ApiError::invalid("failed to read file field"))?)
        }
        (true, None) => Err(ApiError::invalid("Content-Type: a boundary is expected")),
    }
}

/// Queues the rows, all of them or none as far as Redis says, and returns the number of batches.
async fn enqueue(app: &App, project: &Project, rows: Vec<OnboardRow>) -> Result<usize, ApiError> {
    let request = EventId::generate();
    let batches: Vec<OnboardBatch> = rows
        .chunks(BATCH_ROWS)
        .enumerate()
        .map(|(number, rows)| OnboardBatch {
            project_id: project.id,
            batch: format!("{request}-{number}"),
            rows: rows.to_vec(),
        })
        .collect();
    app.queues.push_all(&batches).await.map_err(ApiError::queue)?;
    Ok(batches.len())
}
