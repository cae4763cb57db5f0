//! Filters of a subscription for single event types: those that it has, and one with its form.

use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    field::{self, Field, Input},
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    values::Values,
};

/// The fields of the form.
pub const FIELDS: [Field; 6] = [
    Field::text("event_type", "Event type")
        .required()
        .hint("Exactly as it is sent, or * for all that have no filter of their own."),
    Field::new("is_enabled", "It decides", Input::Switch),
    Field::new("body", "The data must hold", Input::Json(6))
        .hint("A JSON object such as {\"amount\": {\"$gte\": 100}}."),
    Field::new("headers", "The headers must hold", Input::Json(3))
        .hint("A JSON object such as {\"x-region\": \"eu\"}."),
    Field::new("query", "The query must hold", Input::Json(2)).hint("Of requests to an HTTP source."),
    Field::new("path", "The path must hold", Input::Json(2)).hint("Such as {\"path\": \"/ingest/x\"}."),
];

/// A filter in the list.
#[derive(Debug, Clone)]
pub struct FilterLine {
    /// The filter.
    pub id: String,
    /// The event type that it decides about.
    pub event_type: String,
    /// Whether it decides.
    pub is_enabled: bool,
    /// What it asks for, as JSON; empty for nothing.
    pub asks: String,
}

/// What the form holds.
#[derive(Debug, Clone, Default)]
pub struct FilterForm {
    /// The subscription, by id and name.
    pub subscription: (String, String),
    /// The filter that is changed; `None` for a new one.
    pub id: Option<String>,
    /// What stands in its fields.
    pub values: Values,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// Those of a subscription, as a part of its page.
#[must_use]
pub fn section(frame: &Frame, path: &str, rows: &[FilterLine]) -> Markup {
    let is_manager = frame.project.as_ref().is_some_and(|project| project.is_manager);
    html! {
        section.card #filters {
            div.head {
                h2 { "Filters for single event types" }
                @if is_manager { a.button.small href={ (path) "/filters/new" } { "New filter" } }
            }
            p.muted { "A filter for an event type decides alone about events of it, beside what is asked of every event above, and makes them wanted." }
            @if !rows.is_empty() {
                table.list {
                    thead { tr { th scope="col" { "Event type" } th scope="col" { "State" } th scope="col" { "Asks for" } } }
                    tbody {
                        @for row in rows {
                            tr {
                                td data-label="Event type" { @if is_manager { a.strong href={ (path) "/filters/" (row.id) } { (row.event_type) } } @else { span.strong { (row.event_type) } } }
                                td data-label="State" { @if row.is_enabled { (badge(Tone::Good, Icon::Check, "Decides")) } @else { (badge(Tone::Plain, Icon::Pause, "Off")) } }
                                td data-label="Asks for" { @if row.asks.is_empty() { span.muted { "Nothing: all pass" } } @else { code { (row.asks) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The page of one.
#[must_use]
pub fn page(frame: &Frame, view: &FilterForm) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Filter", &html! {}) };
    let (id, name) = &view.subscription;
    let own = project.path(&format!("/subscriptions/{id}"));
    let (title, to) = match &view.id {
        Some(filter) => ("Edit the filter", format!("{own}/filters/{filter}")),
        None => ("New filter", format!("{own}/filters/new")),
    };
    let problem = view.problem.as_ref();
    frame.document(title, &html! {
        p.crumbs { a href=(own) { (icon(Icon::Back)) (name) } }
        section.card.narrow {
            h1 { (title) }
            (form::summary(problem))
            form method="post" action=(to) {
                (form::token(frame))
                (field::all(&FIELDS, &view.values, problem))
                div.row {
                    button.button.primary type="submit" { @if view.id.is_some() { "Save" } @else { "Make the filter" } }
                    a.button href=(own) { "Cancel" }
                }
            }
        }
        @if view.id.is_some() {
            section.card.narrow {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{to}/delete"), ("Delete the filter", "Events of its type are asked for what the filter for * says, where there is one.")))
            }
        }
    })
}
