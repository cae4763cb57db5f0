//! One delivery: did it arrive, and if not, why?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge, code, deliveries, form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact, milliseconds},
    notice,
    waterfall::Timings,
};

/// One request of a delivery and its answer.
#[derive(Debug, Clone)]
pub struct AttemptView {
    /// The attempt.
    pub id: String,
    /// Which one it was, from 1.
    pub number: usize,
    /// The URL that was requested.
    pub url: String,
    /// The request's method.
    pub method: String,
    /// Whether the answer was 2xx.
    pub is_success: bool,
    /// The answer's status; `None`: there was none.
    pub status_code: Option<i32>,
    /// What went wrong, for people.
    pub error: Option<String>,
    /// What went wrong, for machines.
    pub error_class: Option<String>,
    /// Headers as sent.
    pub request_headers: BTreeMap<String, Vec<String>>,
    /// Headers as received.
    pub response_headers: BTreeMap<String, Vec<String>>,
    /// The first bytes of the answer.
    pub response_body: Option<Vec<u8>>,
    /// The address that was connected to.
    pub ip_address: Option<String>,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// Where the time went.
    pub timings: Timings,
    /// Answers that led elsewhere, by status code and URL.
    pub redirects: Vec<(u16, String)>,
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
    /// The subscription that matched.
    pub subscription_id: String,
    /// How far it has come.
    pub status: String,
    /// Why, for people.
    pub description: String,
    /// Attempts made, and how many there may be.
    pub attempts_made: (i32, i32),
    /// When the next attempt is due, where there will be one.
    pub next: Option<DateTime<Utc>>,
    /// Milliseconds from acceptance to success.
    pub latency_ms: Option<f64>,
    /// When the event was accepted.
    pub at: DateTime<Utc>,
    /// What is sent.
    pub payload: Vec<u8>,
    /// Whether a function made it of the event's data.
    pub is_transformed: bool,
    /// The newest attempts, the oldest of them first.
    pub attempts: Vec<AttemptView>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &DeliveryView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Delivery", &html! {}) };
    let path = project.path(&format!("/deliveries/{}", view.id));
    let title = format!("{} to {}", view.event_type, view.endpoint.1);
    let can_resend = project.is_manager && matches!(view.status.as_str(), "Failure" | "Discarded" | "Success");
    let is_open = deliveries::is_open(&view.status);
    frame.document(&title, &html! {
        p.crumbs { a href=(project.path("/deliveries")) { (icon(Icon::Back)) "Deliveries" } }
        div #delivery data-live=[is_open.then_some("2000")] {
            div.head {
                h1 { (view.event_type) span.muted { " to " } (view.endpoint.1) }
                (badge::delivery(&view.status))
                @if can_resend { (form::action(frame, &format!("{path}/resend"), "Resend", "button primary")) }
            }
            @if !view.description.is_empty() { (notice::warning(&html! { (view.description) })) }
            dl.facts {
                div { dt { "Event" } dd { a.id href=(project.path(&format!("/events/{}", view.event_id))) { (view.event_id) } } }
                div { dt { "Endpoint" } dd { a href=(project.path(&format!("/endpoints/{}", view.endpoint.0))) { (view.endpoint.1) } } }
                div { dt { "URL" } dd.id { (view.url) } }
                div { dt { "Accepted" } dd { (ago(view.at, frame.now)) " " span.muted { (exact(view.at)) } } }
                div { dt { "Attempts" } dd { (view.attempts_made.0) " of " (view.attempts_made.1.max(view.attempts_made.0).max(1)) } }
                @if let Some(next) = view.next { div { dt { "Next attempt" } dd { (ago(next, frame.now)) } } }
                @if let Some(ms) = view.latency_ms { div { dt { "Latency" } dd { (milliseconds(ms)) } } }
                div { dt { "Id" } dd.id { (view.id) } }
            }
            section {
                h2 { "Attempts" }
                @if view.attempts.is_empty() {
                    p.muted { @if is_open { "None yet: the first is about to be made." } @else { "None was made." } }
                }
                ol.timeline {
                    @for (at, attempt) in view.attempts.iter().enumerate().rev() {
                        (show(frame, view, attempt, at + 1 == view.attempts.len()))
                    }
                }
            }
        }
        section.card {
            h2 { "Data" @if view.is_transformed { span.muted { ", as the subscription's function made it" } } }
            (code::body("Data of the delivery", &view.payload))
        }
    })
}

fn show(frame: &Frame, view: &DeliveryView, attempt: &AttemptView, is_newest: bool) -> Markup {
    let curl = code::curl(&attempt.method, &attempt.url, &attempt.request_headers, Some(&view.payload));
    html! {
        li class=(if attempt.is_success { "good" } else { "bad" }) {
            article.card {
                div.head {
                    h3 { "Attempt " (attempt.number) }
                    (badge::status_code(attempt.status_code))
                    span.muted { (ago(attempt.at, frame.now)) " · " (milliseconds(attempt.timings.total)) }
                }
                @if let Some(error) = &attempt.error {
                    p.attempt-error { (error) @if let Some(class) = &attempt.error_class { " " code { (class) } } }
                }
                @for (code, url) in &attempt.redirects { p.small { "Redirected (" (code) ") to " span.id { (url) } } }
                (attempt.timings.show())
                details open[is_newest] {
                    summary { "Answer" }
                    @if attempt.status_code.is_none() {
                        p.muted { "There was none." }
                    } @else {
                        @match &attempt.response_body {
                            Some(body) => (code::body(&format!("Body of the answer to attempt {}", attempt.number), body)),
                            None => p.muted { "Its body is not kept." },
                        }
                        (code::headers(&attempt.response_headers))
                    }
                }
                details {
                    summary { "Request" }
                    p.id { (attempt.method) " " (attempt.url) @if let Some(ip) = &attempt.ip_address { span.muted { " at " (ip) } } }
                    (code::headers(&attempt.request_headers))
                }
                details {
                    summary { "As a curl command" }
                    (code::block(&format!("Command for attempt {}", attempt.number), &curl))
                }
            }
        }
    }
}
