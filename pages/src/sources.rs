//! The list of sources.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    frame::Frame,
    icon::Icon,
    moment::{ago, count},
    notice,
    pager::Pager,
};

/// How a source is doing, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct SourceHealth {
    /// Whether it is being read.
    pub is_connected: bool,
    /// Messages that its broker brought.
    pub received: u64,
    /// Those that became events.
    pub accepted: u64,
    /// Those that were refused.
    pub rejected: u64,
    /// When a message came last.
    pub last_message_at: Option<DateTime<Utc>>,
    /// What last went wrong, and when.
    pub last_error: Option<(String, DateTime<Utc>)>,
    /// Since when it is failing, and why.
    pub failing: Option<(DateTime<Utc>, String)>,
}

/// A source in the list.
#[derive(Debug, Clone)]
pub struct SourceLine {
    /// The source.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `http`, `pub_sub` and so on.
    pub kind: String,
    /// The provider; empty for none.
    pub provider: String,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    /// How it is doing, for a source of a broker.
    pub health: Option<SourceHealth>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct SourceList {
    /// Its sources.
    pub rows: Vec<SourceLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &SourceList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Sources", &html! {}) };
    frame.document("Sources", &html! {
        div.head {
            h1 { "Sources" }
            a.button href=(project.path("/rejected")) { "Refused messages" }
            @if project.is_manager { a.button.primary href=(project.path("/sources/new")) { "New source" } }
        }
        @if view.rows.is_empty() {
            (notice::empty("No sources", &html! { "A source is where events come in: a URL for a provider, or a message broker. " @if project.is_manager { a href=(project.path("/sources/new")) { "Make one" } "." } }))
        } @else {
            table.list #sources data-live="5000" {
                thead { tr { th scope="col" { "Source" } th scope="col" { "Kind" } th scope="col" { "State" } th scope="col" { "Received" } th scope="col" { "Refused" } th scope="col" { "Last message" } th scope="col" { "Made" } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Source" { a.strong href=(project.path(&format!("/sources/{}", row.id))) { (row.name) } }
                            td data-label="Kind" { span { (row.kind) @if !row.provider.is_empty() { span.muted { " · " (row.provider) } } } }
                            td data-label="State" { (state(row.is_disabled, row.health.as_ref())) }
                            td.number data-label="Received" { @match &row.health { Some(health) => (number(health.received)), None => span.muted { "–" } } }
                            td.number data-label="Refused" { @match &row.health { Some(health) => (number(health.rejected)), None => span.muted { "–" } } }
                            td data-label="Last message" { @match row.health.as_ref().and_then(|health| health.last_message_at) { Some(at) => (ago(at, frame.now)), None => span.muted { "–" } } }
                            td data-label="Made" { (ago(row.created_at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    })
}

/// How a source is doing, in a word.
#[must_use]
pub fn state(is_disabled: bool, health: Option<&SourceHealth>) -> Markup {
    match health {
        _ if is_disabled => badge(Tone::Plain, Icon::Pause, "Disabled"),
        None => badge(Tone::Good, Icon::Check, "Open"),
        Some(health) if health.failing.is_some() => badge(Tone::Bad, Icon::Warning, "Failing"),
        Some(health) if health.is_connected => badge(Tone::Good, Icon::Check, "Connected"),
        Some(_) => badge(Tone::Odd, Icon::Clock, "Not connected"),
    }
}

pub(crate) fn number(of: u64) -> String {
    count(i64::try_from(of).unwrap_or(i64::MAX))
}
