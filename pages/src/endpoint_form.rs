//! The form of an endpoint, new or changed.

use maud::{Markup, html};

use crate::{
    field::{self, Field, Input},
    form::{self, Problem},
    frame::Frame,
    values::Values,
};

/// What every endpoint is asked for.
pub const FIELDS: [Field; 9] = [
    Field::text("name", "Name").required(),
    Field::text("url", "URL").required().hint("Where webhooks go: http or https."),
    Field::text("description", "Description"),
    Field::text("owner_id", "Owner")
        .hint("Your own name for whose it is: events can be sent to all endpoints of one owner."),
    Field::number("http_timeout", "Timeout, seconds").hint("For the whole answer; 10 where it is 0."),
    Field::number("rate_limit", "Requests").hint("0 for no limit."),
    Field::number("rate_limit_duration", "in seconds"),
    Field::new(
        "content_type",
        "Content type",
        Input::Choice(&[
            ("application/json", "application/json"),
            ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ]),
    ),
    Field::new("support_email", "Email for alerts", Input::Email),
];

/// What most leave as it is.
pub const MORE: [Field; 8] = [
    Field::new("advanced_signatures", "Signatures carry a timestamp", Input::Switch),
    Field::new("follow_redirects", "Follow answers that lead elsewhere", Input::Switch)
        .hint("Three of them at most; they are failures otherwise."),
    Field::new(
        "ordering.failing_head",
        "When the first of a line keeps failing",
        Input::Choice(&[("block", "The others wait"), ("skip", "The others go on"), ("park", "It is given up")]),
    )
    .hint("Of events with an ordering key."),
    Field::number("ordering.attempts", "after so many attempts").hint("1 to 100; of no meaning where the others wait."),
    Field::new("slack_webhook_url", "Slack URL for notifications", Input::Secret),
    Field::new("teams_webhook_url", "Teams URL for notifications", Input::Secret),
    Field::new("mtls_client_cert.client_cert", "Client certificate", Input::Area(4))
        .hint("PEM, followed by those that signed it: how requests prove themselves in TLS. Left empty, they do not."),
    Field::new("mtls_client_cert.client_key", "Its private key", Input::SecretArea(4)).hint("PEM, without a password."),
];

/// What only a new one is asked for.
pub const SECRET: [Field; 2] = [
    Field::new("secret", "Secret", Input::Secret).hint("What signs; it is made for you where it is empty."),
    Field::new(
        "secret_type",
        "Made for you as",
        Input::Choice(&[("", "HMAC"), ("ed25519", "Ed25519: receivers verify with a public key")]),
    ),
];

/// What the form holds.
#[derive(Debug, Clone, Default)]
pub struct EndpointForm {
    /// The endpoint that is changed; `None` for a new one.
    pub id: Option<String>,
    /// What stands in its fields.
    pub values: Values,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The fields of the form, of a new endpoint or of one that is there.
#[must_use]
pub fn fields(is_new: bool) -> Vec<Field> {
    let own: &[Field] = if is_new { &SECRET } else { &[] };
    FIELDS.iter().chain(own).chain(&MORE).copied().collect()
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
    let [name, url, description, owner, timeout, rate, duration, content_type, email] = &FIELDS;
    let is_of_more = |problem: &Problem| SECRET.iter().chain(&MORE).any(|field| field.name == problem.field);
    frame.document(title, &html! {
        section.card.narrow {
            h1 { (title) }
            (form::summary(problem))
            form method="post" action=(to) {
                (form::token(frame))
                (field::all(&[*name, *url, *description, *owner], &view.values, problem))
                div.row { (field::all(&[*timeout, *rate, *duration], &view.values, problem)) }
                (field::all(&[*content_type, *email], &view.values, problem))
                details.more open[problem.is_some_and(is_of_more)] {
                    summary { "More settings" }
                    div.more-fields {
                        @if view.id.is_none() { (field::all(&SECRET, &view.values, problem)) }
                        (field::all(&MORE, &view.values, problem))
                    }
                }
                div.row {
                    button.button.primary type="submit" { @if view.id.is_some() { "Save" } @else { "Make the endpoint" } }
                    a.button href=(back) { "Cancel" }
                }
            }
        }
    })
}
