//! The dashboard's routes: accounts and organisations, what those who run the instance do to all of it, and every route of a
//! project below the organisation's path. Whoever asks there must be a member of that organisation, and the project must be
//! one of it.

use posthouse_boxed::boxed;
use salvo::{
    http::header::{CACHE_CONTROL, HeaderValue},
    oapi::OpenApi,
    prelude::*,
};

use crate::{accounts, admin, audit, auth, configuration, documents, known_paths::KnownPaths, organisations, projects};

/// What these routes are for, on the first page of their description.
const DESCRIPTION: &str = "What the dashboard asks beside the public API: accounts, organisations, members, invitations, and what \
    instance administrators do. Every route of a project is also below `/ui/organisations/{org_id}/projects/{project_id}`, \
    for a session or a personal key.";

/// All routes below `/ui`; `project` makes those of one project.
pub fn router(project: fn() -> Router) -> Router {
    let mirror = || projects::collection_router().push(project().push(projects::dashboard_router()));
    let known = KnownPaths::of(&[documents::UI, documents::API], |path| match path.strip_prefix("/api/v1/projects") {
        Some(rest) => Some(format!("/ui/organisations/{{org_id}}/projects{rest}")),
        None => path.starts_with("/ui/").then(|| path.to_string()),
    });
    routes(mirror(), Some(known))
}

fn routes(projects: Router, known: Option<KnownPaths>) -> Router {
    let organisation = organisations::organisation_router().push(projects);
    let mut signed_in = Router::new()
        .hoop(auth::authenticate)
        .hoop(audit::record)
        .push(accounts::router())
        .push(admin::router())
        .push(organisations::collection_router(organisation))
        .push(configuration::router());
    if let Some(known) = known {
        signed_in = signed_in.push(Router::with_path("{**rest}").goal(known));
    }
    Router::with_path("ui").hoop(no_store).push(guests()).push(configuration::guest_router()).push(signed_in)
}

/// Routes that change something for who has no credentials.
fn guests() -> Router {
    Router::new().hoop(audit::record).push(accounts::guest_router()).push(organisations::guest_router())
}

/// Answers hold tokens and keys: no cache on the way keeps them.
#[handler]
#[boxed]
async fn no_store(res: &mut Response) {
    res.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// What is here and nowhere else.
pub fn described() -> Router {
    routes(Router::with_path("projects/{project_id}").push(projects::dashboard_router()), None)
}

/// Its description.
#[must_use]
pub fn openapi() -> OpenApi {
    documents::describe("Posthouse dashboard", DESCRIPTION, &described())
}
