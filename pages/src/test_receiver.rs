//! The test receiver of a project: what came in last, and how to send something to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{code, form, frame::Frame, moment::ago, notice};

/// A request that came in.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// Its method.
    pub method: String,
    /// Its headers.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
    /// Bytes of its body.
    pub body_bytes: i64,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// The receiver.
#[derive(Debug, Clone, Default)]
pub struct TestReceiver {
    /// Its URL.
    pub url: String,
    /// The endpoint that leads to it, if there is one.
    pub endpoint_id: Option<String>,
    /// The newest requests.
    pub requests: Vec<ReceivedRequest>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &TestReceiver) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Test receiver", &html! {}) };
    let path = project.path("/test-receiver");
    frame.document("Test receiver", &html! {
        div.head {
            h1 { "Test receiver" }
            @if project.is_manager {
                @if view.endpoint_id.is_some() {
                    (form::action(frame, &format!("{path}/send"), "Send a test event", "button primary"))
                } @else {
                    (form::action(frame, &format!("{path}/set-up"), "Make an endpoint of it", "button primary"))
                }
            }
        }
        p.muted { "A receiver of this project, to see webhooks arrive without a server of your own. It answers 200 to everything and keeps the newest 20 requests." }
        section.card {
            h2 { "Its URL" }
            (code::block("URL of the test receiver", &view.url))
            p.small.muted { "Whoever knows the URL can send to it. Workers must be able to reach it: where it is in a private network, its address has to be allowed (" code { "--allow" } " of the worker or of egress)." }
            @if let Some(id) = &view.endpoint_id {
                p { a href=(project.path(&format!("/endpoints/{id}"))) { "The endpoint that leads to it" } }
            }
        }
        section #requests data-live="2000" {
            @if view.requests.is_empty() {
                (notice::empty("Nothing came in yet", &html! { "What arrives appears here by itself." }))
            }
            @for (at, request) in view.requests.iter().enumerate() {
                article.card.received {
                    div.head { h2 { (request.method) } span.muted { (ago(request.at, frame.now)) " · " (request.body_bytes) " bytes" } }
                    (code::body(&format!("Body of request {}", at + 1), &request.body))
                    details { summary { "Headers" } (code::headers(&request.headers)) }
                }
            }
        }
    })
}
