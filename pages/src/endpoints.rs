//! The list of endpoints.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge,
    frame::Frame,
    moment::{ago, count},
    notice, owner_filter,
    pager::Pager,
};

/// An endpoint in the list.
#[derive(Debug, Clone)]
pub struct EndpointLine {
    /// The endpoint.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where webhooks go.
    pub url: String,
    /// Its owner; empty for none.
    pub owner: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// The state of its breaker, where it is known.
    pub breaker: Option<String>,
    /// Deliveries of the last 24 hours that succeeded and that failed; `None`: they could not be counted in time.
    pub totals: Option<(i64, i64)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct EndpointList {
    /// A part of the name.
    pub name_part: String,
    /// The owner.
    pub owner: String,
    /// Its endpoints.
    pub rows: Vec<EndpointLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &EndpointList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Endpoints", &html! {}) };
    let path = project.path("/endpoints");
    let is_narrow = !view.name_part.is_empty() || !view.owner.is_empty();
    frame.document("Endpoints", &html! {
        div.head {
            h1 { "Endpoints" }
            @if project.is_manager { a.button.primary href={ (path) "/new" } { "New endpoint" } }
        }
        (owner_filter::form(&path, &view.name_part, &view.owner))
        @if view.rows.is_empty() {
            (notice::empty(
                if is_narrow { "No endpoint matches" } else { "No endpoints yet" },
                &html! { "An endpoint is a URL that receives webhooks. " @if project.is_manager { a href={ (path) "/new" } { "Make one" } "." } },
            ))
        } @else {
            table.list {
                thead { tr {
                    th scope="col" { "Endpoint" } th scope="col" { "State" } th scope="col" { "Breaker" }
                    th scope="col" { "Delivered, 24 h" } th scope="col" { "Failed, 24 h" } th scope="col" { "Owner" } th scope="col" { "Made" }
                } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Endpoint" { a.strong href=(project.path(&format!("/endpoints/{}", row.id))) { (row.name) } div.id.cut { (row.url) } }
                            td data-label="State" { (badge::endpoint(&row.status)) }
                            td data-label="Breaker" { (badge::breaker(row.breaker.as_deref())) }
                            td.number data-label="Delivered, 24 h" { (number(row.totals.map(|totals| totals.0))) }
                            td.number data-label="Failed, 24 h" { (number(row.totals.map(|totals| totals.1))) }
                            td data-label="Owner" { @if row.owner.is_empty() { span.muted { "–" } } @else { (row.owner) } }
                            td data-label="Made" { (ago(row.created_at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    })
}

fn number(of: Option<i64>) -> Markup {
    html! { @match of { Some(number) => (count(number)), None => span.muted { "–" } } }
}
