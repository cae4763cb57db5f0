//! Meta events: what happened to the project itself, and whether its own URL was told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge, code, form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact},
    notice,
    pager::Pager,
};

/// A meta event in the list.
#[derive(Debug, Clone)]
pub struct MetaEventLine {
    /// The meta event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// How far its delivery has come, as for deliveries.
    pub status: String,
    /// Attempts made.
    pub attempts: i32,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct MetaEventList {
    /// Whether the project is told of anything.
    pub is_enabled: bool,
    /// Its meta events.
    pub rows: Vec<MetaEventLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// One meta event.
#[derive(Debug, Clone)]
pub struct MetaEventView {
    /// As in the list.
    pub line: MetaEventLine,
    /// What is sent.
    pub payload: Vec<u8>,
    /// The last attempt.
    pub attempt: Option<MetaAttemptView>,
}

/// The last attempt to tell the project's own URL.
#[derive(Debug, Clone, Default)]
pub struct MetaAttemptView {
    /// The answer's status; `None`: there was none.
    pub status_code: Option<i32>,
    /// What went wrong.
    pub error: Option<String>,
    /// Headers as sent.
    pub request_headers: BTreeMap<String, Vec<String>>,
    /// Headers as received.
    pub response_headers: BTreeMap<String, Vec<String>>,
    /// The beginning of the answer's body.
    pub response_body: String,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, view: &MetaEventList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Meta events", &html! {}) };
    let path = project.path("/meta-events");
    frame.document(
        "Meta events",
        &html! {
            div.head { h1 { "Meta events" } }
            p.muted { "What happened to the project itself, of the last seven days: endpoints made and disabled, deliveries that failed, sources that cannot be read." }
            @if view.rows.is_empty() {
                (notice::empty("No meta events", &html! {
                    @if view.is_enabled { "Nothing happened in the last seven days." } @else { "The project has no URL that is told. It is set by the API, as " code { "config.meta_event" } " of the project." }
                }))
            } @else {
                table.list {
                    thead { tr { th scope="col" { "Meta event" } th scope="col" { "State" } th scope="col" { "Attempts" } th scope="col" { "When" } } }
                    tbody {
                        @for row in &view.rows {
                            tr {
                                td data-label="Meta event" { a.strong href={ (path) "/" (row.id) } { (row.event_type) } div.id { (row.id) } }
                                td data-label="State" { (badge::delivery(&row.status)) }
                                td.number data-label="Attempts" { (row.attempts) }
                                td data-label="When" { (ago(row.at, frame.now)) }
                            }
                        }
                    }
                }
                (view.pager.show())
            }
        },
    )
}

/// One of them.
#[must_use]
pub fn one(frame: &Frame, view: &MetaEventView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Meta event", &html! {}) };
    let (list, line) = (project.path("/meta-events"), &view.line);
    frame.document(
        &line.event_type,
        &html! {
            p.crumbs { a href=(list) { (icon(Icon::Back)) "Meta events" } }
            div.head {
                h1 { (line.event_type) }
                (badge::delivery(&line.status))
                @if project.is_manager { (form::action(frame, &format!("{list}/{}/resend", line.id), "Send again", "button")) }
            }
            dl.facts {
                div { dt { "When" } dd { (exact(line.at)) } }
                div { dt { "Attempts" } dd { (line.attempts) } }
                div { dt { "Id" } dd.id { (line.id) } }
            }
            section.card { h2 { "Data" } (code::body("Data of the meta event", &view.payload)) }
            @if let Some(attempt) = &view.attempt {
                section.card {
                    div.head { h2 { "Last attempt" } (badge::status_code(attempt.status_code)) }
                    @if let Some(error) = &attempt.error { p.attempt-error { (error) } }
                    h3 { "Answer" }
                    (code::body("Answer to the last attempt", attempt.response_body.as_bytes()))
                    (code::headers(&attempt.response_headers))
                    h3 { "Request" }
                    (code::headers(&attempt.request_headers))
                }
            }
        },
    )
}
