//! One delivery: did it arrive, and if not, why?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{code, frame::PortalFrame, moment::ago, state, strings::fill};
use crate::{
    deliveries::is_open,
    icon::{Icon, icon},
    moment::{exact, milliseconds},
    notice::warning,
};

/// One request of a delivery and its answer.
#[derive(Debug, Clone)]
pub struct AttemptView {
    /// Which one it was, from 1.
    pub number: usize,
    /// The request's method.
    pub method: String,
    /// The URL that was requested.
    pub url: String,
    /// Whether the answer was 2xx.
    pub is_success: bool,
    /// Such as `200 OK`; `None`: there was no answer.
    pub status: Option<String>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// Headers as sent.
    pub request_headers: BTreeMap<String, String>,
    /// Headers as received.
    pub response_headers: BTreeMap<String, String>,
    /// The beginning of the answer.
    pub response_body: Option<String>,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// Milliseconds until the answer or the failure.
    pub duration_ms: f64,
}

/// A delivery.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// The delivery.
    pub id: String,
    /// Its event.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The endpoint, by id and name; the name is the id where it was deleted.
    pub endpoint: (String, String),
    /// Where it goes.
    pub url: String,
    /// How far it has come.
    pub status: String,
    /// Why, for people.
    pub description: String,
    /// Attempts made, and how many there may be.
    pub attempts_made: (i32, i32),
    /// When the next attempt is due, where there will be one.
    pub next: Option<DateTime<Utc>>,
    /// When the event was accepted.
    pub at: DateTime<Utc>,
    /// What is sent.
    pub payload: String,
    /// The newest attempts, the oldest of them first.
    pub attempts: Vec<AttemptView>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &DeliveryView) -> Markup {
    let t = frame.language.strings;
    let is_open = is_open(&view.status);
    let attempts = fill(
        &t.number_of,
        &[("number", &view.attempts_made.0.to_string()), ("all", &view.attempts_made.1.max(1).to_string())],
    );
    frame.document(&format!("{} → {}", view.event_type, view.endpoint.1), &html! {
        p.crumbs { a href=(frame.path("/deliveries")) { (icon(Icon::Back)) (t.deliveries) } }
        div #delivery data-live=[is_open.then_some("3000")] {
            div.head {
                h1 { (view.event_type) span.muted { " → " } (view.endpoint.1) }
                (state::delivery(t, &view.status))
                @if !is_open { (frame.action(&format!("/deliveries/{}/resend", view.id), &t.resend, "button primary")) }
            }
            @if !view.description.is_empty() { (warning(&html! { (view.description) })) }
            dl.facts {
                div { dt { (t.event) } dd { a.id href=(frame.path(&format!("/events/{}", view.event_id))) { (view.event_id) } } }
                div { dt { (t.endpoint) } dd { a href=(frame.path(&format!("/endpoints/{}", view.endpoint.0))) { (view.endpoint.1) } } }
                div { dt { "URL" } dd.id { (view.url) } }
                div { dt { (t.accepted) } dd { (ago(frame, view.at)) " " span.muted { (exact(view.at)) } } }
                div { dt { (t.attempts) } dd { (attempts) } }
                @if let Some(next) = view.next { div { dt { (t.next_attempt) } dd { (ago(frame, next)) } } }
                div { dt { "Id" } dd.id { (view.id) } }
            }
            section #attempts {
                h2 { (t.attempts) }
                @if view.attempts.is_empty() { p.muted { (t.no_attempts) } }
                ol.timeline {
                    @for (at, attempt) in view.attempts.iter().enumerate().rev() {
                        (show(frame, attempt, at + 1 == view.attempts.len()))
                    }
                }
            }
        }
        section.card #data { h2 { (t.data) } (code::body(t, &t.data, &view.payload)) }
    })
}

fn show(frame: &PortalFrame, attempt: &AttemptView, is_newest: bool) -> Markup {
    let t = frame.language.strings;
    html! {
        li class=(if attempt.is_success { "good" } else { "bad" }) {
            article.card {
                div.head {
                    h3 { (t.attempt) " " (attempt.number) }
                    (state::answer(t, attempt.status.as_deref(), attempt.is_success))
                    span.muted { (ago(frame, attempt.at)) " · " (milliseconds(attempt.duration_ms)) }
                }
                @if let Some(error) = &attempt.error { p.attempt-error { (error) } }
                details open[is_newest] {
                    summary { (t.answer) }
                    @if attempt.status.is_none() {
                        p.muted { (t.no_answer) }
                    } @else {
                        (code::body(t, &format!("{} {}", t.answer, attempt.number), attempt.response_body.as_deref().unwrap_or_default()))
                        (code::headers(t, &attempt.response_headers))
                    }
                }
                details {
                    summary { (t.request) }
                    p.id { (attempt.method) " " (attempt.url) }
                    (code::headers(t, &attempt.request_headers))
                }
            }
        }
    }
}
