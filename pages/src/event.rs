//! One event: what it says, and where it went.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge, code,
    deliveries::{self, DeliveryLine},
    form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact},
    notice,
};

/// An event.
#[derive(Debug, Clone)]
pub struct EventView {
    /// The event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// How far it has come.
    pub status: String,
    /// Whether an earlier one has its key.
    pub is_duplicate: bool,
    /// Why it was matched to nobody.
    pub failure: Option<String>,
    /// Whom it is for, for people.
    pub target: String,
    /// The source by which it came in, by id and name.
    pub source: Option<(String, String)>,
    /// Its idempotency key; empty for none.
    pub key: String,
    /// Its headers.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Its data, byte for byte.
    pub payload: Vec<u8>,
    /// Path and query of the request by which it came in.
    pub request: String,
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// Where it went.
    pub deliveries: Vec<DeliveryLine>,
    /// Whether there are more deliveries than these.
    pub has_more: bool,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &EventView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Event", &html! {}) };
    let path = project.path(&format!("/events/{}", view.id));
    let is_open = view.deliveries.iter().any(|row| deliveries::is_open(&row.status))
        || (view.deliveries.is_empty() && view.status != "Failure" && !view.is_duplicate);
    frame.document(&view.event_type, &html! {
        p.crumbs { a href=(project.path("/events")) { (icon(Icon::Back)) "Events" } }
        div.head {
            h1 { (view.event_type) }
            (badge::event(&view.status, view.is_duplicate))
            @if project.is_manager && !view.is_duplicate { (form::action(frame, &format!("{path}/replay"), "Replay", "button")) }
        }
        @if let Some(failure) = &view.failure { (notice::warning(&html! { (failure) })) }
        dl.facts {
            div { dt { "Id" } dd.id { (view.id) } }
            div { dt { "Accepted" } dd { (ago(view.at, frame.now)) " " span.muted { (exact(view.at)) } } }
            div { dt { "For" } dd { (view.target) } }
            @if let Some((_, name)) = &view.source { div { dt { "Source" } dd { (name) } } }
            @if !view.key.is_empty() { div { dt { "Idempotency key" } dd.id { (view.key) } } }
            @if !view.request.is_empty() { div { dt { "Came in at" } dd.id { (view.request) } } }
        }
        section.card #deliveries data-live=[is_open.then_some("2000")] {
            h2 { "Where it went" }
            @if view.deliveries.is_empty() {
                p.muted { @if view.is_duplicate { "Nowhere: an earlier event has the same idempotency key." } @else { "Nowhere yet: no subscription has matched it." } }
            } @else {
                (deliveries::table(frame, &view.deliveries, deliveries::Columns::OfEvent))
                @if view.has_more { p { a href=(crate::link::Link::to(project.path("/deliveries")).with("eventId", &view.id).build()) { "All of its deliveries" } } }
            }
        }
        section.card {
            div.head { h2 { "Data" } a.button.small href={ (path) "/payload" } { "Download" } }
            (code::body("Data of the event", &view.payload))
        }
        section.card { h2 { "Headers" } (code::headers(&view.headers)) }
    })
}
