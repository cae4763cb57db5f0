//! The form of an endpoint, new or changed.

use maud::{Markup, html};

use super::{field, frame::PortalFrame};
use crate::{
    form::{self, Problem},
    icon::{Icon, icon},
};

/// The names of its fields.
pub const FIELDS: [&str; 7] =
    ["name", "url", "description", "http_timeout", "rate_limit", "rate_limit_duration", "support_email"];

/// What the form holds, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct EndpointForm {
    /// The endpoint that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its values, in the order of [`FIELDS`].
    pub values: [String; 7],
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &EndpointForm) -> Markup {
    let t = frame.language.strings;
    let (title, to, back) = match &view.id {
        Some(id) => (&t.edit_endpoint, format!("/endpoints/{id}/edit"), format!("/endpoints/{id}")),
        None => (&t.new_endpoint, "/endpoints/new".to_string(), "/endpoints".to_string()),
    };
    let problem = view.problem.as_ref();
    let [name, url, description, timeout, rate, duration, email] = &view.values;
    let is_special = [timeout, rate, duration, email].iter().any(|text| !text.is_empty());
    frame.document(title, &html! {
        p.crumbs { a href=(frame.path(&back)) { (icon(Icon::Back)) (t.back) } }
        section.card.narrow {
            h1 { (title) }
            (form::summary(problem))
            form method="post" action=(frame.path(&to)) {
                (frame.token())
                (field::required(t, "name", &t.name, name).show(problem))
                (field::required(t, "url", "URL", url).kind("url", "off").hint(&t.url_hint).show(problem))
                (field::optional(t, "description", &t.description, description).show(problem))
                details.more open[is_special] {
                    summary { (t.more) }
                    div.filters-more {
                        (field::optional(t, "http_timeout", &t.timeout_seconds, timeout).kind("number", "off").show(problem))
                        (field::optional(t, "rate_limit", &t.requests, rate).kind("number", "off").hint(&t.requests_hint).show(problem))
                        (field::optional(t, "rate_limit_duration", &t.in_seconds, duration).kind("number", "off").show(problem))
                        (field::optional(t, "support_email", &t.email, email).kind("email", "off").hint(&t.email_hint).show(problem))
                    }
                }
                div.row {
                    button.button.primary type="submit" { @if view.id.is_some() { (t.save) } @else { (t.make_endpoint) } }
                    a.button href=(frame.path(&back)) { (t.cancel) }
                }
            }
        }
    })
}
