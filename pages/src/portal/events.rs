//! Events: the list, and one of them with where it went.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{
    code,
    deliveries::{self, Columns, DeliveryLine, choice},
    frame::PortalFrame,
    moment::ago,
    notice, pager,
};
use crate::{
    events::text,
    form::Problem,
    icon::{Icon, icon},
    moment::exact,
    pager::Pager,
};

/// An event in the list.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// The event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// When it was accepted.
    pub at: DateTime<Utc>,
}

/// What the list was asked for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// What is searched for.
    pub text: String,
    /// The endpoint.
    pub endpoint_id: String,
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
    /// Endpoints to choose from, by id and name.
    pub endpoints: Vec<(String, String)>,
}

/// An event.
#[derive(Debug, Clone)]
pub struct EventView {
    /// The event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its data.
    pub payload: String,
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// Where it went.
    pub deliveries: Vec<DeliveryLine>,
}

/// The list's page.
#[must_use]
pub fn list(frame: &PortalFrame, view: &EventList) -> Markup {
    let (t, query, path) = (frame.language.strings, &view.query, frame.path("/events"));
    let is_narrow = !query.from.is_empty() || !query.to.is_empty();
    frame.document(&t.events, &html! {
        div.head { h1 { (t.events) } }
        @if let Some(problem) = &view.problem { p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } } }
        form.filters method="get" action=(path) role="search" {
            (frame.carried())
            div.field.grow {
                label for="query" { (t.search) }
                input id="query" name="query" type="search" value=(query.text) placeholder=(t.search_hint) autocomplete="off" spellcheck="false";
            }
            (choice(frame, &view.endpoints, &query.endpoint_id))
            button.button.primary type="submit" { (icon(Icon::Search)) (t.search) }
            details.more open[is_narrow] {
                summary { (t.more_filters) }
                div.filters-more {
                    (text("startDate", &t.from_utc, &query.from, "datetime-local"))
                    (text("endDate", &t.until_utc, &query.to, "datetime-local"))
                    a href=(path) { (t.clear) }
                }
            }
        }
        @if view.rows.is_empty() {
            (notice::empty(&t.no_events, &t.no_events_hint))
        } @else {
            table.list #events {
                thead { tr { th scope="col" { (t.event) } th scope="col" { (t.accepted) } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label=(t.event) {
                                a.strong href=(frame.path(&format!("/events/{}", row.id))) { (row.event_type) }
                                div.id { (row.id) }
                            }
                            td data-label=(t.accepted) { (ago(frame, row.at)) }
                        }
                    }
                }
            }
            (pager::show(frame, &view.pager))
        }
    })
}

/// One event's page.
#[must_use]
pub fn one(frame: &PortalFrame, view: &EventView) -> Markup {
    let t = frame.language.strings;
    let is_open = view.deliveries.iter().any(|row| crate::deliveries::is_open(&row.status));
    frame.document(
        &view.event_type,
        &html! {
            p.crumbs { a href=(frame.path("/events")) { (icon(Icon::Back)) (t.events) } }
            div.head {
                h1 { (view.event_type) }
                (frame.action(&format!("/events/{}/replay", view.id), &t.replay, "button"))
            }
            p.small.muted { (t.replay_hint) }
            dl.facts {
                div { dt { "Id" } dd.id { (view.id) } }
                div { dt { (t.accepted) } dd { (ago(frame, view.at)) " " span.muted { (exact(view.at)) } } }
            }
            section.card #deliveries data-live=[is_open.then_some("3000")] {
                h2 { (t.where_it_went) }
                @if view.deliveries.is_empty() {
                    p.muted { (t.nowhere_yet) }
                } @else {
                    (deliveries::table(frame, &view.deliveries, Columns::OfEvent))
                }
            }
            section.card #data { h2 { (t.data) } (code::body(t, &t.data, &view.payload)) }
            section.card { h2 { (t.headers) } (code::headers(t, &view.headers)) }
        },
    )
}
