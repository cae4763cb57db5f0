//! The customer portal's pages: what the holder of a portal link sees in a browser, also within a frame of another site
//! (decision 0027). Whatever they show and do, they ask the portal's own operations, in this process, as that holder.

mod answer;
mod arrival;
mod catalogue;
mod deliveries;
mod endpoint;
mod endpoint_form;
mod endpoints;
mod entry;
mod events;
pub mod framing;
mod look;
mod retry;
mod session;
mod subscription;
mod visit;
mod wire;

use salvo::prelude::*;

/// All pages, and what they fetch beside the dashboard's assets.
pub fn router() -> Router {
    let pages = Router::with_path("{portal_link_id}")
        .hoop(arrival::come_in)
        .hoop(arrival::own_forms)
        .get(entry::first)
        .push(endpoints::router())
        .push(events::router())
        .push(deliveries::router())
        .push(Router::with_path("catalogue").get(catalogue::list))
        .push(Router::with_path("{**rest}").goal(answer::no_page));
    Router::with_path("portal")
        .hoop(framing::protect)
        .get(entry::enter)
        .push(Router::with_path("theme/{name}").get(look::sheet))
        .push(pages)
}
