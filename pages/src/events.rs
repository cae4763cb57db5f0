//! The list of events, with search and filters.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge,
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    moment::{ago, count},
    notice,
    pager::Pager,
};

/// An event in the list.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// The event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// How far it has come.
    pub status: String,
    /// Whether an earlier one has its key.
    pub is_duplicate: bool,
    /// The name of its source; empty for none.
    pub source: String,
    /// Its idempotency key; empty for none.
    pub key: String,
    /// Endpoints that it was matched to.
    pub endpoints: usize,
    /// When it was accepted.
    pub at: DateTime<Utc>,
}

/// What a list was asked for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// What is searched for.
    pub text: String,
    /// A JSON object that the data has to contain.
    pub body: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// The source.
    pub source_id: String,
    /// The idempotency key.
    pub key: String,
    /// From when on.
    pub from: String,
    /// Until when.
    pub to: String,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct EventList {
    /// What was asked for.
    pub query: EventQuery,
    /// What was wrong with it.
    pub problem: Option<Problem>,
    /// Its events.
    pub rows: Vec<EventLine>,
    /// The pages around it.
    pub pager: Pager,
    /// Whether this is the live tail: only the newest, renewed as they come.
    pub is_live: bool,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &EventList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Events", &html! {}) };
    let path = project.path("/events");
    frame.document(
        "Events",
        &html! {
            div.head {
                h1 { "Events" }
                @if view.is_live {
                    a.button href=(path) { "Stop following" }
                    span.live role="status" { "Following: the newest 50, renewed every two seconds." }
                } @else {
                    a.button href=(Link::to(&path).with("follow", "1").build()) { "Follow live" }
                    @if project.is_manager && !view.rows.is_empty() { a.button href=(Link::to(format!("{path}/replay")).with_query(&view.pager.query).build()) { "Replay all that match" } }
                }
            }
            @if !view.is_live { (filters(&path, view)) }
            div #rows data-live=[view.is_live.then_some("2000")] { (rows(frame, view)) }
        },
    )
}

fn filters(path: &str, view: &EventList) -> Markup {
    let query = &view.query;
    let is_narrow = [&query.body, &query.key, &query.from, &query.to, &query.endpoint_id, &query.source_id]
        .iter()
        .any(|text| !text.is_empty());
    html! {
        @if let Some(problem) = &view.problem { p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } } }
        form.filters method="get" action=(path) role="search" {
            div.field.grow {
                label for="query" { "Search" }
                input id="query" name="query" type="search" value=(query.text) placeholder="Id, event type, key, source, or {\"field\": value}" autocomplete="off" spellcheck="false";
            }
            button.button.primary type="submit" { (icon(Icon::Search)) "Search" }
            details.more open[is_narrow] {
                summary { "More filters" }
                div.filters-more {
                    (text("body", "Data contains (JSON)", &query.body, "text"))
                    (text("idempotencyKey", "Idempotency key", &query.key, "text"))
                    (text("endpointId", "Endpoint id", &query.endpoint_id, "text"))
                    (text("sourceId", "Source id", &query.source_id, "text"))
                    (text("startDate", "From (UTC)", &query.from, "datetime-local"))
                    (text("endDate", "Until (UTC)", &query.to, "datetime-local"))
                    a href=(path) { "Clear" }
                }
            }
        }
    }
}

/// What a replay of everything that a query matches would come to.
#[derive(Debug, Clone, Default)]
pub struct ReplayAll {
    /// Events that match and can be replayed.
    pub number: i64,
    /// The query.
    pub query: Vec<(String, String)>,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// Asks before all events that a query matches are replayed.
#[must_use]
pub fn replay_all(frame: &Frame, view: &ReplayAll) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Replay", &html! {}) };
    let path = project.path("/events");
    let with_query = |path: &str| Link::to(path).with_query(&view.query).build();
    frame.document("Replay events", &html! {
        section.card.narrow {
            h1 { "Replay events" }
            (form::summary(view.problem.as_ref()))
            @if view.number == 0 {
                p { "No event that matches can be replayed. Repeats of an earlier event never are." }
            } @else {
                p { b { (count(view.number)) } " events match. Each is matched again by the subscriptions of now, and delivered again to all of them: these are new deliveries beside the old ones." }
                @if view.query.is_empty() { p.muted { "No filter: all of the last seven days." } } @else {
                    dl.facts { @for (key, value) in &view.query { div { dt { (key) } dd { (value) } } } }
                }
                form method="post" action=(with_query(&format!("{path}/replay"))) {
                    (form::token(frame))
                    div.row {
                        button.button.primary type="submit" name="do" value="try" { "Try it first" }
                        button.button type="submit" name="do" value="replay" { "Replay " (count(view.number)) }
                    }
                    p.hint { "A trial delivers nothing. It says how many deliveries there would be, and to which endpoints." }
                }
            }
            p { a href=(with_query(&path)) { "Back to the list" } }
        }
    })
}

pub(crate) fn text(name: &str, label: &str, value: &str, kind: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(kind) value=(value) step=[(kind == "datetime-local").then_some("1")] autocomplete="off" spellcheck="false";
        }
    }
}

fn rows(frame: &Frame, view: &EventList) -> Markup {
    let Some(project) = &frame.project else { return html! {} };
    html! {
        @if view.rows.is_empty() {
            (notice::empty("No events", &html! { "None match within this time; without a date, the last seven days count. A new event is found by a search after some seconds." }))
        } @else {
            table.list {
                thead { tr {
                    th scope="col" { "Event" } th scope="col" { "State" } th scope="col" { "Endpoints" }
                    th scope="col" { "Source" } th scope="col" { "Idempotency key" } th scope="col" { "Accepted" }
                } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Event" {
                                a.strong href=(project.path(&format!("/events/{}", row.id))) { (row.event_type) }
                                div.id { (row.id) }
                            }
                            td data-label="State" { (badge::event(&row.status, row.is_duplicate)) }
                            td.number data-label="Endpoints" { (row.endpoints) }
                            td data-label="Source" { @if row.source.is_empty() { span.muted { "API" } } @else { (row.source) } }
                            td.cut data-label="Idempotency key" { @if row.key.is_empty() { span.muted { "–" } } @else { (row.key) } }
                            td data-label="Accepted" { (ago(row.at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    }
}
