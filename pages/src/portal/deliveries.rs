//! The list of deliveries, with filters, and resending of those that are chosen.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{frame::PortalFrame, moment::ago, notice, pager, state, strings::fill};
use crate::{
    deliveries::STATUSES,
    events::text,
    form::Problem,
    icon::{Icon, icon},
    pager::Pager,
};

/// A delivery in a list.
#[derive(Debug, Clone)]
pub struct DeliveryLine {
    /// The delivery.
    pub id: String,
    /// The event's type.
    pub event_type: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// The endpoint's name; its id where it was deleted.
    pub endpoint: String,
    /// How far it has come.
    pub status: String,
    /// Attempts made, and how many there may be.
    pub attempts: (i32, i32),
    /// When the next attempt is due, where there will be one.
    pub next: Option<DateTime<Utc>>,
    /// When the event was accepted.
    pub at: DateTime<Utc>,
}

/// Which columns a table of deliveries has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// All, and a box to tick.
    Chosen,
    /// All.
    All,
    /// Those of one event.
    OfEvent,
}

/// What a list was asked for.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// States.
    pub statuses: Vec<String>,
    /// The event's type.
    pub event_type: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// From when on.
    pub from: String,
    /// Until when.
    pub to: String,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryList {
    /// What was asked for.
    pub query: DeliveryQuery,
    /// What was wrong with it.
    pub problem: Option<Problem>,
    /// Its deliveries.
    pub rows: Vec<DeliveryLine>,
    /// The pages around it.
    pub pager: Pager,
    /// Endpoints to choose from, by id and name.
    pub endpoints: Vec<(String, String)>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &DeliveryList) -> Markup {
    let t = frame.language.strings;
    frame.document(
        &t.deliveries,
        &html! {
            div.head {
                h1 { (t.deliveries) }
                @if !view.rows.is_empty() { a.button href=(frame.link("/deliveries/retry", &view.pager.query)) { (t.retry_all) } }
            }
            (filters(frame, view))
            @if view.rows.is_empty() {
                (notice::empty(&t.no_deliveries, &t.no_deliveries_hint))
            } @else {
                form #choose method="post" action=(frame.link("/deliveries/resend", &view.pager.query)) {
                    (frame.token())
                    (table(frame, &view.rows, Columns::Chosen))
                    div.bulk { button.button type="submit" { (icon(Icon::Retry)) (t.resend_chosen) } }
                }
                (pager::show(frame, &view.pager))
            }
        },
    )
}

/// A choice of an endpoint, or of all.
#[must_use]
pub fn choice(frame: &PortalFrame, endpoints: &[(String, String)], chosen: &str) -> Markup {
    let t = frame.language.strings;
    let is_known = chosen.is_empty() || endpoints.iter().any(|(id, _)| id == chosen);
    html! {
        div.field {
            label for="endpointId" { (t.endpoint) }
            select id="endpointId" name="endpointId" {
                option value="" { (t.all_endpoints) }
                @for (id, name) in endpoints { option value=(id) selected[id == chosen] { (name) } }
                @if !is_known { option value=(chosen) selected { (chosen) } }
            }
        }
    }
}

fn filters(frame: &PortalFrame, view: &DeliveryList) -> Markup {
    let (t, query, path) = (frame.language.strings, &view.query, frame.path("/deliveries"));
    let is_narrow = !query.from.is_empty() || !query.to.is_empty();
    html! {
        @if let Some(problem) = &view.problem { p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } } }
        form.filters method="get" action=(path) {
            (frame.carried())
            fieldset.choices {
                legend { (t.state) }
                @for status in STATUSES {
                    label { input type="checkbox" name="status" value=(status) checked[query.statuses.iter().any(|chosen| chosen == status)]; (state::word(t, status)) }
                }
            }
            (text("eventType", &t.event_type, &query.event_type, "text"))
            (choice(frame, &view.endpoints, &query.endpoint_id))
            button.button.primary type="submit" { (t.filter) }
            details.more open[is_narrow] {
                summary { (t.more_filters) }
                div.filters-more {
                    (text("startDate", &t.from_utc, &query.from, "datetime-local"))
                    (text("endDate", &t.until_utc, &query.to, "datetime-local"))
                    a href=(path) { (t.clear) }
                }
            }
        }
    }
}

/// Deliveries as a table.
#[must_use]
pub fn table(frame: &PortalFrame, rows: &[DeliveryLine], columns: Columns) -> Markup {
    let t = frame.language.strings;
    let (is_chosen, is_whole) = (columns == Columns::Chosen, columns != Columns::OfEvent);
    html! {
        table.list {
            thead { tr {
                @if is_chosen { th.tick { input.script type="checkbox" data-all="ids" aria-label=(t.choose_all); span.visually-hidden { (t.chosen) } } }
                @if is_whole { th scope="col" { (t.delivery) } }
                th scope="col" { (t.endpoint) } th scope="col" { (t.state) } th scope="col" { (t.attempts) }
                th scope="col" { @if is_whole { (t.accepted) } @else { (t.details) } }
            } }
            tbody {
                @for row in rows {
                    @let own = frame.path(&format!("/deliveries/{}", row.id));
                    tr {
                        @if is_chosen { td.tick { input type="checkbox" name="ids" value=(row.id) aria-label={ (row.event_type) " → " (row.endpoint) }; } }
                        @if is_whole { td data-label=(t.delivery) { a.strong href=(own) { (row.event_type) } div.id { (row.id) } } }
                        td data-label=(t.endpoint) { a href=(frame.path(&format!("/endpoints/{}", row.endpoint_id))) { (row.endpoint) } }
                        td data-label=(t.state) {
                            (state::delivery(t, &row.status))
                            @if let Some(next) = row.next { div.small.muted { (t.next_attempt) " " (ago(frame, next)) } }
                        }
                        td.number data-label=(t.attempts) { (fill(&t.number_of, &[("number", &row.attempts.0.to_string()), ("all", &row.attempts.1.max(1).to_string())])) }
                        @if is_whole {
                            td data-label=(t.accepted) { (ago(frame, row.at)) }
                        } @else {
                            td data-label=(t.details) { a.strong href=(own) { (t.attempts_and_answers) } }
                        }
                    }
                }
            }
        }
    }
}
