//! Event types: the catalogue of what can happen in a project, one of them with its form, and the import of an OpenAPI document.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    code,
    events::text,
    field::{self, Field, Input},
    form::{self, Area, Problem},
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    moment::{ago, exact},
    notice,
    values::Values,
};

/// The fields of the form. The first is the name, which stays what it was made with.
pub const FIELDS: [Field; 4] = [
    Field::text("name", "Name").required().hint("As events carry it, such as order.paid."),
    Field::text("category", "Category").hint("A group of your own making."),
    Field::text("description", "Description").hint("For people."),
    Field::new("json_schema", "JSON schema", Input::Json(14))
        .hint("The shape of the data, as JSON Schema. It is shown to people; events are not checked against it."),
];

/// An event type in the list.
#[derive(Debug, Clone)]
pub struct EventTypeLine {
    /// The event type.
    pub id: String,
    /// The name that events carry.
    pub name: String,
    /// Its group; empty for none.
    pub category: String,
    /// For people.
    pub description: String,
    /// Whether it has a schema.
    pub has_schema: bool,
    /// Since when it should no longer be used.
    pub deprecated_at: Option<DateTime<Utc>>,
}

/// The catalogue, or what of it was asked for.
#[derive(Debug, Clone, Default)]
pub struct EventTypeList {
    /// A part of the name, the category or the description.
    pub part: String,
    /// Its event types.
    pub rows: Vec<EventTypeLine>,
    /// Whether the project has more of them that match.
    pub has_more: bool,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, view: &EventTypeList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Event types", &html! {}) };
    let path = project.path("/event-types");
    frame.document("Event types", &html! {
        div.head {
            h1 { "Event types" }
            @if project.is_manager {
                a.button href={ (path) "/import" } { "Import OpenAPI" }
                a.button.primary href={ (path) "/new" } { "New event type" }
            }
        }
        p.muted { "What can happen in the project, for those who subscribe. Types that subscriptions name come in by themselves." }
        form.filters method="get" action=(path) role="search" {
            (text("q", "Name, category or description contains", &view.part, "search"))
            button.button type="submit" { "Filter" }
            @if !view.part.is_empty() { a href=(path) { "Clear" } }
        }
        @if view.rows.is_empty() {
            (notice::empty(
                if view.part.is_empty() { "No event types yet" } else { "No event type matches" },
                &html! { @if project.is_manager { a href={ (path) "/new" } { "Describe one" } ", or " a href={ (path) "/import" } { "import a document" } " that describes webhooks." } },
            ))
        } @else {
            table.list {
                thead { tr { th scope="col" { "Event type" } th scope="col" { "Category" } th scope="col" { "Description" } th scope="col" { "Schema" } th scope="col" { "State" } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Event type" { a.strong href={ (path) "/" (row.id) } { (row.name) } }
                            td data-label="Category" { @if row.category.is_empty() { span.muted { "–" } } @else { (row.category) } }
                            td data-label="Description" { @if row.description.is_empty() { span.muted { "–" } } @else { (row.description) } }
                            td data-label="Schema" { @if row.has_schema { "Yes" } @else { span.muted { "–" } } }
                            td data-label="State" { (state(row.deprecated_at.is_some())) }
                        }
                    }
                }
            }
            @if view.has_more { p.muted { "There are more: filter for what you look for." } }
        }
    })
}

fn state(is_deprecated: bool) -> Markup {
    if is_deprecated { badge(Tone::Odd, Icon::Warning, "Deprecated") } else { badge(Tone::Good, Icon::Check, "In use") }
}

/// One of them, or a new one.
#[derive(Debug, Clone, Default)]
pub struct EventTypeView {
    /// The event type; `None` for a new one.
    pub id: Option<String>,
    /// What stands in the form.
    pub values: Values,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// Since when it should no longer be used.
    pub deprecated_at: Option<DateTime<Utc>>,
    /// The schema that it has, as JSON.
    pub schema: Option<String>,
}

/// The page of one.
#[must_use]
pub fn one(frame: &Frame, view: &EventTypeView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Event type", &html! {}) };
    let list = project.path("/event-types");
    let name = view.values.text("name");
    let Some(id) = &view.id else {
        return frame.document("New event type", &html! {
            p.crumbs { a href=(list) { (icon(Icon::Back)) "Event types" } }
            section.card.narrow { h1 { "New event type" } (fill_in(frame, view, (&format!("{list}/new"), &FIELDS, "Make the event type"))) }
        });
    };
    let (path, events) = (format!("{list}/{id}"), Link::to(project.path("/events")).with("query", name).build());
    frame.document(name, &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Event types" } }
        div.head { h1 { (name) } (state(view.deprecated_at.is_some())) a.button href=(events) { "Its events" } }
        @if let Some(since) = view.deprecated_at { (notice::warning(&html! { "Deprecated since " (exact(since)) " (" (ago(since, frame.now)) "). Events of it are routed as before." })) }
        @if let Some(schema) = &view.schema { section.card { h2 { "JSON schema" } (code::body("JSON schema", schema.as_bytes())) } }
        @if project.is_manager {
            section.card {
                h2 { "Change" }
                (fill_in(frame, view, (&path, FIELDS.get(1..).unwrap_or_default(), "Save")))
            }
            @if view.deprecated_at.is_none() {
                section.card {
                    h2 { "Deprecate" }
                    (form::careful_action(frame, &format!("{path}/deprecate"), ("Deprecate", "It stays in the catalogue and is marked for good. Events of it are routed as before.")))
                }
            }
        } @else {
            section.card {
                dl.facts.stacked {
                    div { dt { "Category" } dd { (view.values.text("category")) } }
                    div { dt { "Description" } dd { (view.values.text("description")) } }
                }
            }
        }
    })
}

fn fill_in(frame: &Frame, view: &EventTypeView, (to, fields, label): (&str, &[Field], &str)) -> Markup {
    let problem = view.problem.as_ref();
    html! {
        (form::summary(problem))
        form method="post" action=(to) {
            (form::token(frame))
            (field::all(fields, &view.values, problem))
            button.button.primary type="submit" { (label) }
        }
    }
}

/// The import of an OpenAPI document, as it was typed.
#[must_use]
pub fn import(frame: &Frame, (spec, problem): (&str, Option<&Problem>)) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Import", &html! {}) };
    let list = project.path("/event-types");
    frame.document("Import event types", &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Event types" } }
        section.card {
            h1 { "Import event types" }
            p.muted { "From the webhooks of an OpenAPI document. A type of the same name gets the new description and schema." }
            (form::summary(problem))
            form method="post" action={ (list) "/import" } {
                (form::token(frame))
                (Area { name: "spec", label: "OpenAPI document", value: spec, hint: "JSON or YAML. What it refers to must be in it.", rows: 18 }.show(problem))
                div.row { button.button.primary type="submit" { "Import" } a.button href=(list) { "Cancel" } }
            }
        }
    })
}
