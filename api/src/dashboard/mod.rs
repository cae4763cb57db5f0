//! The dashboard: pages for people, made on the server. Handlers are thin: they read what a page shows from the ledger, and
//! change things by the operations of the API itself, so that both check and allow the same.

mod account;
mod admin;
mod answer;
mod assets;
mod audit_log;
mod authentication;
mod batches;
mod cookies;
mod deliveries;
mod delivery;
mod delivery_lines;
mod door;
mod endpoint;
mod endpoint_form;
mod endpoints;
mod event_types;
mod events;
mod filters;
mod form;
mod guard;
mod headers;
mod job_queues;
mod local;
mod meta_events;
mod operation;
mod organisation;
mod origin;
mod overview;
mod portal_links;
mod portal_look;
mod projects;
pub mod query;
mod replay_all;
mod schedules;
mod session;
mod settings;
mod sign_in;
mod source_form;
mod sources;
mod subscriptions;
mod test_receiver;
mod theme;
mod visit;

pub use self::{answer::catch, overview::ActivityCache};
/// What the customer portal's pages do in the same way.
pub use self::{
    form::Form,
    guard::is_own,
    operation::{Done, Operation},
    origin::Origin,
};
use salvo::prelude::*;

/// All pages, and what they fetch.
pub fn router() -> Router {
    let project = Router::with_path("projects/{project_id}")
        .get(overview::show)
        .push(events::router())
        .push(deliveries::router())
        .push(endpoints::router())
        .push(subscriptions::router())
        .push(sources::router())
        .push(event_types::router())
        .push(portal_links::router())
        .push(batches::router())
        .push(meta_events::router())
        .push(audit_log::router())
        .push(settings::router())
        .push(test_receiver::router());
    let signed_in = Router::new()
        .hoop(session::required)
        .hoop(guard::token)
        .push(Router::with_path("sign-out").post(sign_in::sign_out))
        .push(Router::with_path("sign-out-everywhere").post(sign_in::sign_out_everywhere))
        .push(projects::router())
        .push(organisation::router())
        .push(audit_log::organisation_router())
        .push(admin::router())
        .push(account::router())
        .push(project.push(Router::with_path("{**rest}").goal(answer::no_page)))
        .push(Router::with_path("organisations/{**rest}").goal(answer::no_page))
        .push(Router::with_path("admin/{**rest}").goal(answer::no_page));
    let pages = Router::new()
        .hoop(headers::protect)
        .hoop(session::recognise)
        .hoop(guard::same_origin)
        .push(Router::with_path("sign-in").get(sign_in::show).post(sign_in::sign_in))
        .push(door::router())
        .push(Router::with_path("theme").post(theme::choose))
        .push(signed_in);
    Router::new()
        .goal(sign_in::home)
        .push(Router::with_path("assets/{name}").get(assets::serve))
        .push(test_receiver::public_router())
        .push(pages)
}
