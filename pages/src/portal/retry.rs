//! Asks before everything that failed and that a filter lets through is tried again.

use maud::{Markup, html};

use super::{frame::PortalFrame, state, strings::fill};
use crate::{
    form::{self, Problem},
    icon::{Icon, icon},
};

/// What would be tried again.
#[derive(Debug, Clone, Default)]
pub struct RetryView {
    /// How many deliveries.
    pub number: i64,
    /// What the list was asked for.
    pub query: Vec<(String, String)>,
    /// Endpoints, by id and name.
    pub endpoints: Vec<(String, String)>,
    /// Why it was not done.
    pub problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &RetryView) -> Markup {
    let t = frame.language.strings;
    let back = frame.link("/deliveries", &view.query);
    let number = view.number.to_string();
    frame.document(
        &t.retry_deliveries,
        &html! {
            p.crumbs { a href=(back) { (icon(Icon::Back)) (t.deliveries) } }
            section.card.narrow {
                h1 { (t.retry_deliveries) }
                (form::summary(view.problem.as_ref()))
                @if view.number == 0 {
                    p { (t.retry_nothing) }
                } @else {
                    p { (fill(&t.retry_hint, &[("number", &number)])) }
                    @if view.query.is_empty() { p.muted { (t.retry_lately) } } @else { (asked(frame, view)) }
                    form method="post" action=(frame.link("/deliveries/retry", &view.query)) {
                        (frame.token())
                        button.button.primary type="submit" { (fill(&t.retry_number, &[("number", &number)])) }
                    }
                }
                p { a href=(back) { (t.back) } }
            }
        },
    )
}

/// The filter, as people read it.
fn asked(frame: &PortalFrame, view: &RetryView) -> Markup {
    let t = frame.language.strings;
    let name = |id: &str| {
        view.endpoints.iter().find(|(known, _)| known == id).map_or_else(|| id.to_string(), |(_, name)| name.clone())
    };
    html! {
        dl.facts.stacked {
            @for (key, value) in &view.query {
                @let (label, shown) = match key.as_str() {
                    "status" => (t.state.as_str(), state::word(t, value).to_string()),
                    "eventType" => (t.event_type.as_str(), value.clone()),
                    "endpointId" => (t.endpoint.as_str(), name(value)),
                    "startDate" => (t.from_utc.as_str(), value.clone()),
                    "endDate" => (t.until_utc.as_str(), value.clone()),
                    other => (other, value.clone()),
                };
                div { dt { (label) } dd { (shown) } }
            }
        }
    }
}
