//! Every route of the API, its description as OpenAPI, and the page that shows it.

use std::sync::Arc;

use salvo::{
    affix_state,
    catcher::Catcher,
    oapi::{OpenApi, scalar::Scalar},
    prelude::*,
};

use crate::{
    app::App,
    audit, auth, batches, compression, conventions,
    cors::Cors,
    dashboard, deliveries, documents,
    drain::LastAnswers,
    endpoints, etag, event_types, events, head, health, ingest,
    known_paths::{KnownPaths, Options},
    limits, meta_events, metrics, onboard, portal, portal_links, portal_pages, projects, rejected_messages, sources,
    subscriptions, traced, ui,
};

/// What this API is for, on the first page of its description.
const DESCRIPTION: &str = "Send events, and Posthouse delivers them as signed webhooks to the endpoints that subscribed. \
    Authenticate with `Authorization: Bearer <key>`. Every answer is `{\"status\", \"message\", \"data\"}`.";

/// What the portal's routes are for.
const PORTAL_DESCRIPTION: &str = "What the holder of a portal link can do. Authenticate with `Authorization: Bearer <token>`: \
    the link's token, or a key of it. Only the endpoints that the link opens, and what belongs to them, can be reached.";

/// Routes below `/api/v1`, which need credentials.
fn api() -> Router {
    with_known_paths(described_api(), KnownPaths::of(&[documents::API], below("/api/v1")))
}

fn portal() -> Router {
    with_known_paths(portal::router(), KnownPaths::of(&[documents::PORTAL], below("/portal-api")))
}

/// Leaves out what is elsewhere.
fn below(root: &str) -> impl Fn(&str) -> Option<String> {
    move |path| path.starts_with(root).then(|| path.to_string())
}

fn with_known_paths(routes: Router, known: KnownPaths) -> Router {
    Router::new().hoop(Options(known.clone())).push(routes.push(Router::with_path("{**rest}").goal(known)))
}

/// The routes of one project, for each path that leads to it.
fn project() -> Router {
    projects::project_router()
        .push(endpoints::router())
        .push(subscriptions::router())
        .push(sources::router())
        .push(rejected_messages::router())
        .push(event_types::router())
        .push(onboard::router())
        .push(meta_events::router())
        .push(events::router())
        .push(deliveries::router())
        .push(batches::router())
        .push(portal_links::router())
        .push(audit::list::project_router())
}

fn described_api() -> Router {
    Router::with_path("api/v1")
        .hoop(conventions::content_type)
        .hoop(auth::authenticate)
        .hoop(limits::hold_to_limits)
        .hoop(audit::record)
        .hoop(etag::etag)
        .push(projects::collection_router().push(project()))
}

/// The routes of every operation that callers can ask for, and that the dashboard does for who is signed in.
pub fn operations() -> Router {
    Router::new().push(described_api()).push(ui::described()).push(portal::router())
}

/// The description of all routes.
#[must_use]
pub fn openapi() -> OpenApi {
    let routes = Router::new().push(health::router()).push(ingest::router()).push(described_api());
    documents::describe("Posthouse", DESCRIPTION, &routes)
}

/// The description of the portal's routes. It is a document of its own, since its operations are those of the API.
#[must_use]
pub fn portal_openapi() -> OpenApi {
    documents::describe("Posthouse portal", PORTAL_DESCRIPTION, &portal::router())
}

/// Everything that requests reach.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .push(health::router())
        .push(Router::new().hoop(traced::trace).push(ingest::router()).push(api()).push(portal()))
        .push(documents::router())
        .push(ui::router(project))
        .push(Scalar::new("/openapi.json").title("Posthouse API").into_router("docs"))
        .push(portal_pages::router())
        .push(dashboard::router())
}

/// The whole service.
#[must_use]
pub fn service(app: Arc<App>) -> Service {
    let limit = app.settings.body_bytes_max;
    let cors = Cors::new(app.settings.cors_origins.clone());
    let last_answers = LastAnswers(Arc::clone(&app.checks));
    let router = routes()
        .hoop(affix_state::inject(app))
        .hoop(CatchPanic::new())
        .hoop(conventions::standard_headers)
        .hoop(compression::compress)
        .hoop(conventions::end_unread)
        .hoop(metrics::observe);
    // Handlers read bodies within the limit themselves; this one catches what does not pass through them.
    let router = router.hoop(salvo::http::request::SecureMaxSize(limit.saturating_add(1)));
    Service::new(head::answer_head(router))
        .hoop(last_answers)
        .hoop(cors)
        .catcher(Catcher::default().hoop(dashboard::catch).hoop(conventions::catch))
}
