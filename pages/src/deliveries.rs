//! The list of deliveries, with filters, and what can be done with many at once.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge,
    events::text,
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    moment::{ago, count, milliseconds},
    notice,
    pager::Pager,
};

/// The states of a delivery.
pub const STATUSES: [&str; 6] = ["Scheduled", "Processing", "Retry", "Success", "Failure", "Discarded"];

/// A delivery in a list.
#[derive(Debug, Clone)]
pub struct DeliveryLine {
    /// The delivery.
    pub id: String,
    /// Its event.
    pub event_id: String,
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
    /// Milliseconds from acceptance to success.
    pub latency_ms: Option<f64>,
    /// When the next attempt is due, where there will be one.
    pub next: Option<DateTime<Utc>>,
    /// When the event was accepted.
    pub at: DateTime<Utc>,
}

/// Whether an attempt may follow.
#[must_use]
pub fn is_open(status: &str) -> bool {
    matches!(status, "Scheduled" | "Processing" | "Retry")
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
    /// The event.
    pub event_id: String,
    /// The idempotency key.
    pub key: String,
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
pub fn page(frame: &Frame, view: &DeliveryList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Deliveries", &html! {}) };
    let path = project.path("/deliveries");
    let here = Link::to(&path).with_query(&view.pager.query).build();
    let retry_all = Link::to(format!("{path}/retry")).with_query(&view.pager.query).build();
    frame.document("Deliveries", &html! {
        div.head {
            h1 { "Deliveries" }
            @if project.is_manager && !view.rows.is_empty() { a.button href=(retry_all) { "Retry all that match…" } }
        }
        (filters(&path, view))
        @if view.rows.is_empty() {
            (notice::empty("No deliveries", &html! { "None match within this time; without a date, the last seven days count." }))
        } @else if project.is_manager {
            form method="post" action={ (path) "/resend" } {
                (form::token(frame))
                input type="hidden" name="next" value=(here);
                (table(frame, &view.rows, Columns::Chosen))
                div.bulk { button.button type="submit" { (icon(Icon::Retry)) "Resend the chosen" } }
            }
            (view.pager.show())
        } @else {
            (table(frame, &view.rows, Columns::All))
            (view.pager.show())
        }
    })
}

fn filters(path: &str, view: &DeliveryList) -> Markup {
    let query = &view.query;
    let is_narrow = [&query.key, &query.from, &query.to, &query.event_id].iter().any(|text| !text.is_empty());
    let mut endpoints = vec![(String::new(), "All endpoints".to_string())];
    endpoints.extend(view.endpoints.iter().cloned());
    if !query.endpoint_id.is_empty() && endpoints.iter().all(|(id, _)| *id != query.endpoint_id) {
        endpoints.push((query.endpoint_id.clone(), query.endpoint_id.clone()));
    }
    html! {
        @if let Some(problem) = &view.problem { p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } } }
        form.filters method="get" action=(path) {
            fieldset.choices {
                legend { "State" }
                @for status in STATUSES {
                    label { input type="checkbox" name="status" value=(status) checked[query.statuses.iter().any(|chosen| chosen == status)]; (status) }
                }
            }
            (text("eventType", "Event type", &query.event_type, "text"))
            (form::select("endpointId", "Endpoint", &endpoints, &query.endpoint_id))
            button.button.primary type="submit" { "Filter" }
            details.more open[is_narrow] {
                summary { "More filters" }
                div.filters-more {
                    (text("eventId", "Event id", &query.event_id, "text"))
                    (text("idempotencyKey", "Idempotency key", &query.key, "text"))
                    (text("startDate", "From (UTC)", &query.from, "datetime-local"))
                    (text("endDate", "Until (UTC)", &query.to, "datetime-local"))
                    a href=(path) { "Clear" }
                }
            }
        }
    }
}

/// Deliveries as a table.
#[must_use]
pub fn table(frame: &Frame, rows: &[DeliveryLine], columns: Columns) -> Markup {
    let Some(project) = &frame.project else { return html! {} };
    let (is_chosen, is_whole) = (columns == Columns::Chosen, columns != Columns::OfEvent);
    html! {
        table.list {
            thead { tr {
                @if is_chosen { th.tick { input.script type="checkbox" data-all="ids" aria-label="All on this page"; span.visually-hidden { "Chosen" } } }
                @if is_whole { th scope="col" { "Delivery" } }
                th scope="col" { "Endpoint" } th scope="col" { "State" } th scope="col" { "Attempts" }
                th scope="col" { "Latency" } th scope="col" { @if is_whole { "Accepted" } @else { "Details" } }
            } }
            tbody {
                @for row in rows {
                    @let own = project.path(&format!("/deliveries/{}", row.id));
                    tr {
                        @if is_chosen { td.tick { input type="checkbox" name="ids" value=(row.id) aria-label={ "Choose " (row.event_type) " to " (row.endpoint) }; } }
                        @if is_whole {
                            td data-label="Delivery" { a.strong href=(own) { (row.event_type) } div.id { (row.id) } }
                        }
                        td data-label="Endpoint" { a href=(project.path(&format!("/endpoints/{}", row.endpoint_id))) { (row.endpoint) } }
                        td data-label="State" { (badge::delivery(&row.status)) @if let Some(next) = row.next { div.small.muted { "next " (ago(next, frame.now)) } } }
                        td.number data-label="Attempts" { span { (row.attempts.0) span.muted { " of " (row.attempts.1.max(row.attempts.0).max(1)) } } }
                        td.number data-label="Latency" { @if let Some(ms) = row.latency_ms { (milliseconds(ms)) } @else { span.muted { "–" } } }
                        @if is_whole {
                            td data-label="Accepted" { (ago(row.at, frame.now)) }
                        } @else {
                            td data-label="Details" { a.strong href=(own) { "Attempts and answers" } }
                        }
                    }
                }
            }
        }
    }
}

/// Asks before all deliveries that a filter lets through are tried again.
#[must_use]
pub fn retry_all(frame: &Frame, (number, query): (i64, &[(String, String)]), problem: Option<&Problem>) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Retry", &html! {}) };
    let path = project.path("/deliveries");
    let with_query = |path: &str| Link::to(path).with_query(query).build();
    frame.document("Retry deliveries", &html! {
        section.card.narrow {
            h1 { "Retry deliveries" }
            (form::summary(problem))
            @if number == 0 {
                p { "No delivery that matches has failed or was discarded." }
            } @else {
                p { b { (count(number)) } " deliveries that match have failed or were discarded. Each gets one more attempt, in the background; those to endpoints that do not receive stay as they are." }
                @if !query.is_empty() {
                    dl.facts { @for (key, value) in query { div { dt { (key) } dd { (value) } } } }
                } @else { p.muted { "No filter: all of the last seven days." } }
                form method="post" action=(with_query(&format!("{path}/retry"))) {
                    (form::token(frame))
                    button.button.primary type="submit" { "Retry " (count(number)) }
                }
            }
            p { a href=(with_query(&path)) { "Back to the list" } }
        }
    })
}
