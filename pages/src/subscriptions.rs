//! The list of subscriptions.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    events::text,
    frame::Frame,
    icon::Icon,
    moment::ago,
    notice,
    pager::Pager,
};

/// A subscription in the list.
#[derive(Debug, Clone)]
pub struct SubscriptionLine {
    /// The subscription.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The endpoint, by id and name; the name is the id where it was deleted.
    pub endpoint: (String, String),
    /// The name of its source; empty for none.
    pub source: String,
    /// Exact event types, or `*`.
    pub event_types: Vec<String>,
    /// Whether it asks something of events.
    pub has_filter: bool,
    /// Whether a function makes its payloads.
    pub has_function: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionList {
    /// A part of the name.
    pub name_part: String,
    /// Its subscriptions.
    pub rows: Vec<SubscriptionLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// Event types that a line shows.
const TYPES_SHOWN: usize = 4;

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &SubscriptionList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Subscriptions", &html! {}) };
    let path = project.path("/subscriptions");
    frame.document("Subscriptions", &html! {
        div.head {
            h1 { "Subscriptions" }
            @if project.is_manager { a.button.primary href={ (path) "/new" } { "New subscription" } }
        }
        form.filters method="get" action=(path) role="search" {
            (text("name", "Name contains", &view.name_part, "search"))
            button.button type="submit" { "Filter" }
            @if !view.name_part.is_empty() { a href=(path) { "Clear" } }
        }
        @if view.rows.is_empty() {
            (notice::empty(
                if view.name_part.is_empty() { "No subscriptions yet" } else { "No subscription matches" },
                &html! { "A subscription says which events an endpoint gets. " @if project.is_manager { a href={ (path) "/new" } { "Make one" } "." } },
            ))
        } @else {
            table.list {
                thead { tr {
                    th scope="col" { "Subscription" } th scope="col" { "Endpoint" } th scope="col" { "Event types" }
                    th scope="col" { "Asks" } th scope="col" { "Source" } th scope="col" { "Made" }
                } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Subscription" { a.strong href={ (path) "/" (row.id) } { (row.name) } }
                            td data-label="Endpoint" { a href=(project.path(&format!("/endpoints/{}", row.endpoint.0))) { (row.endpoint.1) } }
                            td data-label="Event types" {
                                span {
                                    @for (at, name) in row.event_types.iter().take(TYPES_SHOWN).enumerate() { @if at > 0 { ", " } code { (name) } }
                                    @if row.event_types.len() > TYPES_SHOWN { span.muted { " and " (row.event_types.len() - TYPES_SHOWN) " more" } }
                                }
                            }
                            td data-label="Asks" {
                                span {
                                    @if row.has_filter { (badge(Tone::Busy, Icon::Subscription, "Filter")) " " }
                                    @if row.has_function { (badge(Tone::Busy, Icon::Event, "Function")) }
                                    @if !row.has_filter && !row.has_function { span.muted { "Nothing more" } }
                                }
                            }
                            td data-label="Source" { @if row.source.is_empty() { span.muted { "–" } } @else { (row.source) } }
                            td data-label="Made" { (ago(row.created_at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    })
}
