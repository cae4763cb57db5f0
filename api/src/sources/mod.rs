//! Sources: make, read, list, change, delete. Ingest follows what is stored here.

mod broker;
mod connection_test;
mod input;
pub mod metadata;
mod status;
mod verifier;
mod wire;

pub use self::{
    connection_test::{test_settings, test_source},
    status::SourceStatusWire,
};

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::SourceId,
    source::{Source, SourceFilter},
    words::SourceKind,
};
use rand::RngExt as _;
use salvo::prelude::*;

use self::wire::{SourceBody, SourceWire, Viewer};
use crate::{
    app::App,
    auth::{Need, authorized},
    body::read_json,
    error::{ApiError, ApiResult},
    functions,
    ingest::source::MASK_CHARS,
    query::{self, Paged},
    reply::{NoData, Reply},
};

const UNKNOWN: ApiError = ApiError::NotFound("source not found");

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{source_id}")
        .get(get_source)
        .put(update_source)
        .post(update_source)
        .delete(delete_source)
        .push(Router::with_path("status").get(status::get_source_status))
        .push(Router::with_path("test").post(connection_test::test_source));
    Router::with_path("sources")
        .get(list_sources)
        .post(create_source)
        .push(Router::with_path("test").post(connection_test::test_settings))
        .push(Router::with_path("test_function").post(functions::test_source_function))
        .push(one)
}

/// Makes a source
///
/// With `test=true` its broker must be there to be read: otherwise nothing is made.
#[endpoint(tags("Sources"), operation_id = "CreateSource", request_body = SourceBody)]
#[boxed]
pub async fn create_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: SourceBody = read_json(req, &app).await?;
    let values = input::values(body, None)?;
    if let Some(pub_sub) = values.pub_sub.as_ref().filter(|_| query::one(req, "test").as_deref() == Some("true")) {
        connection_test::require(&app, project.id, pub_sub).await?;
    }
    let mask: String = {
        let mut random = rand::rng();
        (0..MASK_CHARS).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
    };
    let row = Source::insert(&mut *app.conn().await?, project.id, &mask, &values).await?;
    app.announce_source_change().await;
    let wire = SourceWire::new(row, &viewer(req, &app, true));
    Ok(Reply::created("Source created successfully", wire.just_made()))
}

/// Lists sources
///
/// Query: `type`, `provider`, `q` (part of the name), and the page.
#[endpoint(tags("Sources"), operation_id = "LoadSourcesPaged")]
#[boxed]
pub async fn list_sources(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<SourceWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let kind = match query::one(req, "type") {
        None => None,
        Some(word) => Some(SourceKind::parse(&word).ok_or_else(|| ApiError::invalid("type:unsupported source type"))?),
    };
    let filter = SourceFilter { kind, provider: query::text(req, "provider")?, name_part: query::text(req, "q")? };
    let page = query::page::<SourceId>(req)?;
    let rows = Source::list(&mut *app.conn().await?, project.id, &filter, &page).await?;
    let viewer = viewer(req, &app, may_change(req, depot).await);
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), |row| SourceWire::new(row, &viewer));
    Ok(Reply::ok("Sources fetched successfully", paged))
}

/// Reads a source
#[endpoint(tags("Sources"), operation_id = "GetSource")]
#[boxed]
pub async fn get_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = Source::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    let viewer = viewer(req, &app, may_change(req, depot).await);
    Ok(Reply::ok("Source fetched successfully", SourceWire::new(row, &viewer)))
}

/// Changes a source
///
/// `name` and `type` are required, and what is missing keeps its value. A hidden secret that is sent back keeps the stored
/// one. `POST` does the same.
#[endpoint(tags("Sources"), operation_id = "UpdateSource", request_body = SourceBody)]
#[boxed]
pub async fn update_source(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: SourceBody = read_json(req, &app).await?;
    let id = id(req)?;
    let mut conn = app.conn().await?;
    let old = Source::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    let values = input::values(body, Some(&old))?;
    let row = Source::update(&mut conn, project.id, id, &values).await?.ok_or(UNKNOWN)?;
    drop(conn);
    app.sources.forget(&row.mask_id);
    app.announce_source_change().await;
    Ok(Reply::accepted("Source updated successfully", SourceWire::new(row, &viewer(req, &app, true))))
}

/// Deletes a source and its subscriptions
#[endpoint(tags("Sources"), operation_id = "DeleteSource")]
#[boxed]
pub async fn delete_source(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req)?;
    let mut conn = app.conn().await?;
    let row = Source::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    if !Source::delete(&mut conn, project.id, id).await? {
        return Err(UNKNOWN);
    }
    drop(conn);
    app.sources.forget(&row.mask_id);
    app.announce_source_change().await;
    Ok(Reply::ok("Source deleted successfully", NoData))
}

/// Whether the caller of a request that only reads may change the project as well.
async fn may_change(req: &Request, depot: &Depot) -> bool {
    authorized(req, depot, Need::Manage).await.is_ok()
}

fn viewer(req: &Request, app: &App, is_manager: bool) -> Viewer {
    let host = || req.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_string();
    Viewer { base: app.settings.public_url.clone().unwrap_or_else(host), is_manager }
}

fn id(req: &Request) -> Result<SourceId, ApiError> {
    req.param::<String>("source_id").and_then(|id| id.parse().ok()).ok_or(UNKNOWN)
}
