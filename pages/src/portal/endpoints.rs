//! The list of endpoints.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{frame::PortalFrame, moment::ago, notice, pager, state};
use crate::{events::text, pager::Pager};

/// An endpoint in the list.
#[derive(Debug, Clone)]
pub struct EndpointLine {
    /// The endpoint.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where webhooks go.
    pub url: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct EndpointList {
    /// A part of the name.
    pub name_part: String,
    /// Its endpoints.
    pub rows: Vec<EndpointLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &EndpointList) -> Markup {
    let t = frame.language.strings;
    let is_narrow = !view.name_part.is_empty();
    let list = frame.path("/endpoints");
    frame.document(&t.endpoints, &html! {
        div.head {
            h1 { (t.endpoints) }
            @if frame.can_make { a.button.primary #new-endpoint href=(frame.path("/endpoints/new")) { (t.new_endpoint) } }
        }
        @if is_narrow || view.rows.len() > 5 || view.pager.next.is_some() {
            form.filters method="get" action=(list) role="search" {
                (frame.carried())
                (text("q", &t.name_contains, &view.name_part, "search"))
                button.button type="submit" { (t.filter) }
                @if is_narrow { a href=(list) { (t.clear) } }
            }
        }
        @if view.rows.is_empty() {
            (notice::empty(if is_narrow { &t.nothing_matches } else { &t.no_endpoints }, if frame.can_make { &t.no_endpoints_hint } else { &t.no_endpoints_yet }))
        } @else {
            table.list #endpoints {
                thead { tr { th scope="col" { (t.endpoint) } th scope="col" { (t.state) } th scope="col" { (t.made) } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label=(t.endpoint) {
                                a.strong href=(frame.path(&format!("/endpoints/{}", row.id))) { (row.name) }
                                div.id.cut { (row.url) }
                            }
                            td data-label=(t.state) { (state::endpoint(t, &row.status)) }
                            td data-label=(t.made) { (ago(frame, row.created_at)) }
                        }
                    }
                }
            }
            (pager::show(frame, &view.pager))
        }
    })
}
