//! A receiver of each project, so that the first webhook needs no server: it answers 200 to everything and keeps the newest
//! requests. Its URL holds a mark of the instance's secret, so that nobody finds it who was not told.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_boxed::boxed;
use posthouse_pages::{
    frame::Place,
    test_receiver::{self as pages, ReceivedRequest, TestReceiver},
};
use posthouse_schema::{
    endpoint,
    ids::ProjectId,
    instance_secret,
    json::Headers,
    test_request::{self, TestRequest},
};
use salvo::{http::HeaderMap, prelude::*};
use serde_json::json;
use sha2::Sha256;

use super::{
    answer::{PageError, PageResult, Redirection},
    visit::{ProjectVisit, page, said},
};
use crate::{
    app::{App, app},
    auth::Need,
    body,
    endpoints::create_endpoint,
    error::ApiError,
    events::create_event,
    subscriptions::create_subscription,
};

const SECRET: &str = "test_receiver";

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("test-receiver")
        .get(show)
        .push(Router::with_path("set-up").post(set_up))
        .push(Router::with_path("send").post(send))
}

/// The route that takes requests in, from anybody.
pub fn public_router() -> Router {
    Router::with_path("test-receiver/{project_id}/{mark}").goal(receive)
}

/// What addresses of this API begin with: as set, or as this request came.
pub fn host(req: &Request, app: &App) -> String {
    let asked = req.header::<String>("host").filter(|host| !host.is_empty()).map(|host| format!("http://{host}"));
    let default = || app.settings.accounts.public_url.as_str().trim_end_matches('/').to_string();
    app.settings.public_url.clone().or(asked).unwrap_or_else(default)
}

async fn mac(app: &App, project: ProjectId) -> Result<Hmac<Sha256>, ApiError> {
    let secret = instance_secret::get_or_make(&mut *app.conn().await?, SECRET).await?;
    let mac =
        Hmac::<Sha256>::new_from_slice(&secret).map_err(|error| ApiError::Internal(anyhow::anyhow!("{error}")))?;
    Ok(mac.chain_update(project.to_string()))
}

async fn url(req: &Request, visit: &ProjectVisit) -> Result<String, PageError> {
    let mark = URL_SAFE_NO_PAD.encode(mac(&visit.visit.app, visit.id()).await?.finalize().into_bytes());
    Ok(format!("{}/test-receiver/{}/{mark}", host(req, &visit.visit.app), visit.id()))
}

/// Takes a request in.
#[handler]
#[boxed]
pub async fn receive(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let app = app(depot)?;
    let unknown = || ApiError::NotFound("404 page not found");
    let project: ProjectId = req.param::<String>("project_id").and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    let mark = req.param::<String>("mark").and_then(|mark| URL_SAFE_NO_PAD.decode(mark).ok()).ok_or_else(unknown)?;
    mac(&app, project).await?.verify_slice(&mark).map_err(|_| unknown())?;
    app.project(project).await?.ok_or_else(unknown)?;
    let body = body::read(req, &app).await?;
    let headers = shown(req.headers());
    test_request::keep(&mut *app.conn().await?, project, req.method().as_str(), headers, &body).await?;
    res.status_code(StatusCode::OK);
    res.render(Text::Plain("received\n"));
    Ok(())
}

fn shown(headers: &HeaderMap) -> Headers {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        // PostgreSQL has no NUL in a text, and a header has none.
        all.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    Headers(all)
}

/// Shows what came in.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Overview, Need::View).await?;
    let url = url(req, &visit).await?;
    let mut conn = visit.conn().await?;
    let endpoint = endpoint::id_of_url(&mut conn, visit.id(), &url).await?;
    let requests = test_request::list(&mut conn, visit.id()).await?;
    drop(conn);
    let view = TestReceiver {
        url,
        endpoint_id: endpoint.map(|id| id.to_string()),
        requests: requests.into_iter().map(received).collect(),
    };
    Ok(page(pages::page(visit.frame(), &view)))
}

fn received(row: TestRequest) -> ReceivedRequest {
    ReceivedRequest {
        at: row.received_at(),
        method: row.method,
        headers: row.headers.0,
        body: row.body,
        body_bytes: row.body_bytes,
    }
}

/// Makes an endpoint that leads to it, with a subscription to everything.
#[handler]
#[boxed]
pub async fn set_up(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Overview, Need::ManageEndpoints).await?;
    let (url, back) = (url(req, &visit).await?, visit.path("/test-receiver"));
    if endpoint::id_of_url(&mut *visit.conn().await?, visit.id(), &url).await?.is_some() {
        return Ok(Redirection::to(back).into());
    }
    let body = json!({"name": "Test receiver", "url": url, "description": "Built in: keeps the newest requests."});
    let made = visit.run(create_endpoint, visit.on(&[]).with_body(body)).await?;
    if made.problem(&[]).is_some() {
        return Ok(said(back, &made, ""));
    }
    let body = json!({"name": "Test receiver", "endpoint_id": made.text("/uid")});
    let subscribed = visit.run(create_subscription, visit.on(&[]).with_body(body)).await?;
    Ok(said(back, &subscribed, "The endpoint is made and subscribed to everything. Send it a test event."))
}

/// Sends an event to the endpoint that leads to it.
#[handler]
#[boxed]
pub async fn send(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Overview, Need::Manage).await?;
    let (url, back) = (url(req, &visit).await?, visit.path("/test-receiver"));
    let found = endpoint::id_of_url(&mut *visit.conn().await?, visit.id(), &url).await?;
    let Some(endpoint) = found else {
        return Ok(Redirection::to(back).saying(false, "No endpoint leads to the receiver yet.").into());
    };
    let body = json!({
        "endpoint_id": endpoint.to_string(),
        "event_type": "posthouse.test",
        "data": {"message": "Hello from Posthouse", "sent_at": visit.frame().now.to_rfc3339()},
    });
    let done = visit.run(create_event, visit.on(&[]).with_body(body)).await?;
    Ok(said(back, &done, "A test event is on its way."))
}
