//! What an empty project shows: the steps to the first webhook, with the commands filled in.

use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    code::{self, quoted},
    frame::ProjectFrame,
    icon::Icon,
};

/// How far a new project has come.
#[derive(Debug, Clone, Default)]
pub struct FirstRun {
    /// What addresses of the API begin with.
    pub api: String,
    /// The newest endpoint, if there is one.
    pub endpoint_id: Option<String>,
    /// Whether there is a subscription.
    pub has_subscription: bool,
    /// Whether there is an event.
    pub has_event: bool,
    /// Whether events come in by sources.
    pub is_incoming: bool,
    /// Whether there is a source.
    pub has_source: bool,
}

/// The steps.
#[must_use]
pub fn steps(project: &ProjectFrame, view: &FirstRun) -> Markup {
    let base = format!("{}/api/v1/projects/{}", view.api, project.id);
    let endpoint = view.endpoint_id.as_deref().unwrap_or("ENDPOINT");
    let post = |path: &str, body: &str| {
        format!(
            "curl -X POST {} \\\n  -H \"Authorization: Bearer $KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d {}",
            quoted(&format!("{base}/{path}")),
            quoted(body)
        )
    };
    let endpoint_command = post("endpoints", r#"{"name": "first", "url": "https://example.com/webhooks"}"#);
    let subscription_command =
        post("subscriptions", &format!(r#"{{"name": "everything", "endpoint_id": "{endpoint}"}}"#));
    let source_command = post("sources", r#"{"name": "provider", "type": "http", "verifier": {"type": "noop"}}"#);
    let event_command = post(
        "events",
        &format!(r#"{{"endpoint_id": "{endpoint}", "event_type": "invoice.paid", "data": {{"amount": 42}}}}"#),
    );
    html! {
        section.card.steps {
            h2 { "Send the first webhook" }
            @if !view.is_incoming && project.is_manager {
                p { a.button.primary href=(project.path("/test-receiver")) { "Try it with the built-in receiver" } }
            }
            p.muted { "Set " code { "KEY" } " to the project's key, as it was shown when the project was made." }
            ol {
                (step("Make an endpoint", view.endpoint_id.is_some(), &html! {
                    p { "An endpoint is a URL that receives." @if project.is_manager { " " a href=(project.path("/endpoints/new")) { "Make one here" } ", or run:" } }
                    (code::block("Command that makes an endpoint", &endpoint_command))
                }))
                @if view.is_incoming {
                    (step("Make a source", view.has_source, &html! {
                        p { "A source is a URL to which a provider sends." }
                        (code::block("Command that makes a source", &source_command))
                    }))
                }
                (step("Subscribe the endpoint to events", view.has_subscription, &html! {
                    p { "A subscription sends events to an endpoint; this one sends all." }
                    (code::block("Command that makes a subscription", &subscription_command))
                }))
                (step("Send an event", view.has_event, &html! {
                    @if view.is_incoming {
                        p { "Send a request to the URL of the source." }
                    } @else {
                        (code::block("Command that sends an event", &event_command))
                        p { "Or by the command line: " code { "posthouse events send --help" } }
                    }
                    p { "It appears below " a href=(project.path("/events")) { "Events" } " within a second." }
                }))
            }
            p.muted { "Every route is described at " a href="/docs" { "/docs" } "." }
        }
    }
}

fn step(title: &str, is_done: bool, content: &Markup) -> Markup {
    html! {
        li class=[is_done.then_some("done")] {
            h3 { (title) @if is_done { " " (badge(Tone::Good, Icon::Check, "Done")) } }
            @if !is_done { (content) }
        }
    }
}
