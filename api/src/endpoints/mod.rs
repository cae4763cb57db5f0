//! Endpoints: make, read, list, change, delete, pause, activate, roll the secret.

mod client_cert;
pub mod input;
mod oauth2;
mod rates;
pub mod wire;

pub use self::{oauth2::test_oauth2, rates::period_failure_rates};

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_schema::{
    endpoint::{self, Endpoint, EndpointFilter},
    ids::EndpointId,
    words::{EndpointStatus, MetaEventKind},
};
use salvo::prelude::*;
use serde_json::Value;

use self::wire::{EndpointBody, EndpointWire, ExpireSecretBody};
use crate::{
    app::App,
    auth::{Access, Need, scoped},
    body::{parse, read, read_json},
    error::{ApiError, ApiResult},
    meta_events::announce,
    query::{self, Paged},
    reply::{NoData, Reply},
    version::Version,
};

/// How long old secrets may go on signing: a year.
const EXPIRATION_SECONDS_MAX: i64 = 31_536_000;

/// The routes below a project.
pub fn router() -> Router {
    let rates = Router::with_path("period-failure-rates").get(rates::period_failure_rates);
    let oauth2 = Router::with_path("oauth2/test").post(oauth2::test_oauth2);
    Router::with_path("endpoints").get(list_endpoints).post(create_endpoint).push(rates).push(oauth2).push(
        Router::with_path("{endpoint_id}")
            .get(get_endpoint)
            .put(update_endpoint)
            .delete(delete_endpoint)
            .push(Router::with_path("pause").put(pause_endpoint))
            .push(Router::with_path("activate").post(activate_endpoint))
            .push(Router::with_path("expire_secret").put(expire_secret)),
    )
}

/// Makes an endpoint
///
/// A secret is made where none is given.
#[endpoint(tags("Endpoints"), operation_id = "CreateEndpoint", request_body = EndpointBody)]
#[boxed]
pub async fn create_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let version = Version::of(req);
    let mut body: EndpointBody = read_json(req, &app).await?;
    body.owner_id = access.new_owner(body.owner_id)?;
    let secret = input::secret(body.secret.take(), body.secret_type.as_deref())?;
    let values = input::values(body, &project, version, None)?;
    input::permitted(&values.url, app.settings.endpoint_rules.as_deref())?;
    let row = Endpoint::insert(&mut *app.conn().await?, project.id, &values, &secret).await?;
    let made = written(&app, row).await?;
    announce(&app, &project, MetaEventKind::EndpointCreated, || made.clone().without_secrets()).await;
    Ok(Reply::created("Endpoint created successfully", wire(made, &access, version)))
}

/// Lists endpoints
///
/// Query: `q` (part of the name), `ownerId`, and the page: `perPage`, `direction`, `next_page_cursor`, `prev_page_cursor`.
#[endpoint(tags("Endpoints"), operation_id = "GetEndpoints")]
#[boxed]
pub async fn list_endpoints(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<Value>> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let filter = EndpointFilter {
        name_part: query::text(req, "q")?.or(query::text(req, "query")?),
        owner_id: query::text(req, "ownerId")?,
        ids: access.endpoints(Vec::new())?,
    };
    let page = query::page::<EndpointId>(req)?;
    let mut conn = app.conn().await?;
    let rows = Endpoint::list(&mut conn, project.id, &filter, &page).await?;
    let ids: Vec<EndpointId> = rows.rows.iter().map(|row| row.id).collect();
    let secrets = endpoint::secrets_of(&mut conn, project.id, &ids).await?;
    drop(conn);
    let version = Version::of(req);
    // A list is worth having without them, as while Redis is away.
    let (breakers, now) = (app.queues.open_breakers("").await.ok().flatten(), Utc::now());
    let show = |row: Endpoint| {
        let cb_state = breakers.as_ref().map(|breakers| breakers.state(row.id, now).to_string());
        wire(EndpointWire { cb_state, ..EndpointWire::read(row, &secrets) }, &access, version)
    };
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), show);
    Ok(Reply::ok("Endpoints fetched successfully", paged))
}

/// Reads an endpoint
#[endpoint(tags("Endpoints"), operation_id = "GetEndpoint")]
#[boxed]
pub async fn get_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    let not_found = || ApiError::NotFound("Resource not found");
    let id = id(req).ok_or_else(not_found)?;
    access.admit(id)?;
    let row = Endpoint::find(&mut *app.conn().await?, project.id, id).await?.ok_or_else(not_found)?;
    Ok(Reply::ok("Endpoint fetched successfully", show(&app, row, &access, Version::of(req)).await?))
}

/// Changes an endpoint
///
/// `url` and `name` are required; `description`, `rate_limit`, `rate_limit_duration`, `content_type` and `authentication`
/// are replaced, the others are kept where they are missing.
#[endpoint(tags("Endpoints"), operation_id = "UpdateEndpoint", request_body = EndpointBody)]
#[boxed]
pub async fn update_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let version = Version::of(req);
    let mut body: EndpointBody = read_json(req, &app).await?;
    if access.is_portal() {
        body.owner_id = None; // An endpoint stays with its owner.
    }
    let id = id(req).ok_or_else(unknown)?;
    access.admit(id)?;
    let old = Endpoint::find(&mut *app.conn().await?, project.id, id).await?.ok_or_else(unknown)?;
    let values = input::values(body, &project, version, Some(&old))?;
    input::permitted(&values.url, app.settings.endpoint_rules.as_deref())?;
    let row = Endpoint::update(&mut *app.conn().await?, project.id, id, &values).await?.ok_or_else(unknown)?;
    let changed = written(&app, row).await?;
    announce(&app, &project, MetaEventKind::EndpointUpdated, || changed.clone().without_secrets()).await;
    Ok(Reply::accepted("Endpoint updated successfully", wire(changed, &access, version)))
}

/// Deletes an endpoint and its subscriptions
#[endpoint(tags("Endpoints"), operation_id = "DeleteEndpoint")]
#[boxed]
pub async fn delete_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let id = id(req).ok_or_else(unknown)?;
    access.admit(id)?;
    let old = if project.config.meta_event.wants(MetaEventKind::EndpointDeleted) {
        Endpoint::find(&mut *app.conn().await?, project.id, id).await?
    } else {
        None
    };
    if !Endpoint::delete(&mut *app.conn().await?, project.id, id).await? {
        return Err(unknown());
    }
    app.endpoints.forget(&(project.id, id));
    if let Some(old) = old {
        let last = EndpointWire { deleted_at: Some(chrono::Utc::now()), ..EndpointWire::read(old, &[]) };
        announce(&app, &project, MetaEventKind::EndpointDeleted, || last.without_secrets()).await;
    }
    Ok(Reply::ok("Endpoint deleted successfully", NoData))
}

/// Pauses an endpoint, or lets it go on
#[endpoint(tags("Endpoints"), operation_id = "PauseEndpoint")]
#[boxed]
pub async fn pause_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let id = id(req).ok_or_else(unknown)?;
    access.admit(id)?;
    let mut conn = app.conn().await?;
    let old = Endpoint::find(&mut conn, project.id, id).await?.ok_or_else(unknown)?;
    let to = match old.status {
        EndpointStatus::Active => EndpointStatus::Paused,
        EndpointStatus::Paused => EndpointStatus::Active,
        EndpointStatus::Inactive => {
            return Err(ApiError::invalid("current endpoint status - inactive, does not support pausing or unpausing"));
        }
    };
    let changed = Endpoint::set_status(&mut conn, (project.id, id), &[old.status], to).await?;
    drop(conn);
    let row = changed.ok_or_else(|| ApiError::invalid("the endpoint's status changed meanwhile, try again"))?;
    Ok(Reply::accepted("endpoint status updated successfully", show(&app, row, &access, Version::of(req)).await?))
}

/// Activates a paused or disabled endpoint
#[endpoint(tags("Endpoints"), operation_id = "ActivateEndpoint")]
#[boxed]
pub async fn activate_endpoint(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let id = id(req).ok_or_else(unknown)?;
    access.admit(id)?;
    let mut conn = app.conn().await?;
    let from = [EndpointStatus::Inactive, EndpointStatus::Paused];
    let changed = Endpoint::set_status(&mut conn, (project.id, id), &from, EndpointStatus::Active).await?;
    let Some(row) = changed else {
        Endpoint::find(&mut conn, project.id, id).await?.ok_or_else(unknown)?;
        return Err(ApiError::invalid("current endpoint status - active, does not support activation"));
    };
    drop(conn);
    Ok(Reply::accepted("endpoint status successfully activated", show(&app, row, &access, Version::of(req)).await?))
}

/// Rolls an endpoint's secret
///
/// The new secret signs at once; the old ones go on signing for `expiration` seconds, and are shown for an hour longer. The
/// answer is the same for clients of every version.
#[endpoint(tags("Endpoints"), operation_id = "ExpireSecret", request_body = ExpireSecretBody)]
#[boxed]
pub async fn expire_secret(req: &mut Request, depot: &mut Depot) -> ApiResult<Value> {
    let (app, project, access) = scoped(req, depot, Need::ManageEndpoints).await?;
    let bytes = read(req, &app).await?;
    let body: ExpireSecretBody = parse(&bytes)?;
    let id = id(req).ok_or_else(unknown)?;
    access.admit(id)?;
    let seconds = body.expiration.unwrap_or(0);
    if !(0..=EXPIRATION_SECONDS_MAX).contains(&seconds) {
        return Err(ApiError::invalid(format!(
            "expiration: a number of seconds between 0 and {EXPIRATION_SECONDS_MAX} is expected"
        )));
    }
    let secret = input::secret(body.secret, body.secret_type.as_deref())?;
    let mut conn = app.conn().await?;
    let row = Endpoint::find(&mut conn, project.id, id).await?.ok_or_else(unknown)?;
    let old_expire_at = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    endpoint::roll_secret(&mut conn, (project.id, id), &secret, old_expire_at).await?;
    drop(conn);
    Ok(Reply::ok("endpoint secret expired successfully", show(&app, row, &access, Version::NEWEST).await?))
}

fn id(req: &Request) -> Option<EndpointId> {
    req.param::<String>("endpoint_id")?.parse().ok()
}

fn unknown() -> ApiError {
    ApiError::invalid("endpoint not found")
}

async fn show(app: &App, row: Endpoint, access: &Access, version: Version) -> Result<Value, ApiError> {
    let secrets = endpoint::secrets_of(&mut *app.conn().await?, row.project_id, &[row.id]).await?;
    Ok(wire(EndpointWire::read(row, &secrets), access, version))
}

/// An endpoint that was just made or changed.
async fn written(app: &App, row: Endpoint) -> Result<EndpointWire, ApiError> {
    let secrets = endpoint::secrets_of(&mut *app.conn().await?, row.project_id, &[row.id]).await?;
    Ok(EndpointWire::new(row, &secrets))
}

fn wire(mut endpoint: EndpointWire, access: &Access, version: Version) -> Value {
    if !access.sees_secrets() {
        endpoint.hide_secrets();
    }
    if access.is_portal() {
        endpoint.hide_credentials();
        endpoint.hide_private_keys();
    }
    let mut value = serde_json::to_value(endpoint).unwrap_or_default();
    version.adapt(&mut value);
    value
}
