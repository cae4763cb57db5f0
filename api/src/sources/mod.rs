//! Sources: make, read, list, change, delete. Ingest follows what is stored here.

mod input;
pub mod metadata;
mod wire;

use posthouse_schema::{
    ids::SourceId,
    source::{Source, SourceFilter},
    words::SourceKind,
};
use rand::RngExt as _;
use salvo::prelude::*;

use self::wire::{SourceBody, SourceWire};
use crate::{
    auth::{Need, authorized},
    body::read_json,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const UNKNOWN: ApiError = ApiError::NotFound("source not found");
const MASK_CHARS: usize = 16;

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("sources").get(list_sources).post(create_source).push(
        Router::with_path("{source_id}").get(get_source).put(update_source).post(update_source).delete(delete_source),
    )
}

/// Makes a source
#[endpoint(tags("Sources"), operation_id = "CreateSource", request_body = SourceBody)]
pub async fn create_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: SourceBody = read_json(req, &app).await?;
    let values = input::values(body, None)?;
    let mask: String = {
        let mut random = rand::rng();
        (0..MASK_CHARS).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
    };
    let row = Source::insert(&mut *app.conn().await?, project.id, &mask, &values).await?;
    Ok(Reply::created("Source created successfully", row.into()))
}

/// Lists sources
///
/// Query: `type`, `provider`, and the page.
#[endpoint(tags("Sources"), operation_id = "LoadSourcesPaged")]
pub async fn list_sources(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<SourceWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let kind = match query::one(req, "type") {
        None => None,
        Some(word) => Some(SourceKind::parse(&word).ok_or_else(|| ApiError::invalid("type:unsupported source type"))?),
    };
    let filter = SourceFilter { kind, provider: query::one(req, "provider") };
    let page = query::page::<SourceId>(req)?;
    let rows = Source::list(&mut *app.conn().await?, project.id, &filter, &page).await?;
    Ok(Reply::ok("Sources fetched successfully", Paged::new(&page, rows, |row| row.id.to_string(), SourceWire::from)))
}

/// Reads a source
#[endpoint(tags("Sources"), operation_id = "GetSource")]
pub async fn get_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = Source::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    Ok(Reply::ok("Source fetched successfully", row.into()))
}

/// Changes a source
///
/// `name` and `type` are required. A hidden secret that is sent back keeps the stored one.
#[endpoint(tags("Sources"), operation_id = "UpdateSource", request_body = SourceBody)]
pub async fn update_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: SourceBody = read_json(req, &app).await?;
    let id = id(req)?;
    let mut conn = app.conn().await?;
    let old = Source::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    let values = input::values(body, Some(&old))?;
    let row = Source::update(&mut conn, project.id, id, &values).await?.ok_or(UNKNOWN)?;
    Ok(Reply::accepted("Source updated successfully", row.into()))
}

/// Deletes a source and its subscriptions
#[endpoint(tags("Sources"), operation_id = "DeleteSource")]
pub async fn delete_source(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    if !Source::delete(&mut *app.conn().await?, project.id, id(req)?).await? {
        return Err(UNKNOWN);
    }
    Ok(Reply::ok("Source deleted successfully", NoData))
}

fn id(req: &Request) -> Result<SourceId, ApiError> {
    req.param::<String>("source_id").and_then(|id| id.parse().ok()).ok_or(UNKNOWN)
}
