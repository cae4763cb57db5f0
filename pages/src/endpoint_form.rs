//! The form of an endpoint, new or changed.

use maud::{Markup, html};

use crate::{
    form::{self, Problem, Text},
    frame::Frame,
};

/// The names of its fields.
pub const FIELDS: [&str; 9] = [
    "name",
    "url",
    "description",
    "owner_id",
    "http_timeout",
    "rate_limit",
    "rate_limit_duration",
    "content_type",
    "support_email",
];

/// What the form holds, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct EndpointForm {
    /// The endpoint that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its values, in the order of [`FIELDS`].
    pub values: [String; 9],
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &EndpointForm) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Endpoint", &html! {}) };
    let (title, to, back) = match &view.id {
        Some(id) => {
            let own = project.path(&format!("/endpoints/{id}"));
            ("Edit the endpoint", format!("{own}/edit"), own)
        }
        None => ("New endpoint", project.path("/endpoints/new"), project.path("/endpoints")),
    };
    let problem = view.problem.as_ref();
    let [name, url, description, owner, timeout, rate, duration, content_type, email] = &view.values;
    let encodings =
        ["application/json", "application/x-www-form-urlencoded"].map(|word| (word.to_string(), word.to_string()));
    frame.document(title, &html! {
        section.card.narrow {
            h1 { (title) }
            (form::summary(problem))
            form method="post" action=(to) {
                (form::token(frame))
                (Text::required("name", "Name", name).show(problem))
                (Text::required("url", "URL", url).kind("url", "off").hint("Where webhooks go: http or https.").show(problem))
                (Text::optional("description", "Description", description).show(problem))
                (Text::optional("owner_id", "Owner", owner).hint("Your own name for whose it is: events can be sent to all endpoints of one owner.").show(problem))
                div.row {
                    (Text::optional("http_timeout", "Timeout, seconds", timeout).kind("number", "off").show(problem))
                    (Text::optional("rate_limit", "Requests", rate).kind("number", "off").hint("0 for no limit.").show(problem))
                    (Text::optional("rate_limit_duration", "in seconds", duration).kind("number", "off").show(problem))
                }
                (form::select("content_type", "Content type", &encodings, content_type))
                (Text::optional("support_email", "Email for alerts", email).kind("email", "off").show(problem))
                div.row {
                    button.button.primary type="submit" { @if view.id.is_some() { "Save" } @else { "Make the endpoint" } }
                    a.button href=(back) { "Cancel" }
                }
            }
        }
    })
}
