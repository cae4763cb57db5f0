//! Settings of a project, its keys, and its end.

use maud::{Markup, html};

use crate::{
    code,
    form::{self, Problem, Text},
    frame::Frame,
    notice,
};

/// The names of the form's fields of text.
pub const FIELDS: [&str; 6] = ["name", "strategy", "duration", "retry_count", "ratelimit_count", "ratelimit_duration"];
/// The names of its switches, with what they are called.
pub const SWITCHES: [(&str, &str); 3] = [
    ("multiple_endpoint_subscriptions", "An endpoint may have several subscriptions"),
    ("disable_endpoint", "Disable an endpoint when a delivery to it ran out of attempts"),
    ("add_event_id_trace_headers", "Send the ids of event and delivery as headers"),
];

/// What the form holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Its values, in the order of [`FIELDS`].
    pub values: [String; 6],
    /// Its switches, in the order of [`SWITCHES`].
    pub switches: [bool; 3],
    /// What was wrong.
    pub problem: Option<Problem>,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// Whether retries follow a list of waits, which this form does not change.
    pub is_custom: bool,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &Settings) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Settings", &html! {}) };
    let path = project.path("/settings");
    frame.document("Settings", &html! {
        div.head { h1 { "Settings" } span.muted { (view.kind) " project" } }
        section.card {
            h2 { "Project" }
            (form::summary(view.problem.as_ref()))
            @if project.is_manager {
                form method="post" action=(path) {
                    (form::token(frame))
                    (fields(view))
                    button.button.primary type="submit" { "Save" }
                }
            } @else { (facts(view)) }
        }
        @if project.is_manager {
            section.card {
                h2 { "Keys" }
                p.muted { "Programs use a key of the project. Further ones are made with " code { "posthouse keys create" } "." }
                (form::careful_action(frame, &format!("{path}/regenerate-key"), ("Replace all keys by a new one", "Every key of the project so far is refused at once. The new one is shown once.")))
            }
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{path}/delete"), ("Delete the project", "It can no longer be read, and nothing of it is delivered any more.")))
            }
        }
    })
}

fn fields(view: &Settings) -> Markup {
    let problem = view.problem.as_ref();
    let [name, strategy, duration, count, rate, rate_duration] = &view.values;
    let strategies = [("linear", "The same wait each time"), ("exponential", "Twice the wait each time")]
        .map(|(word, label)| (word.to_string(), label.to_string()));
    html! {
        (Text::required("name", "Name", name).show(problem))
        @if view.is_custom {
            (notice::warning(&html! { "Retries follow a list of waits. It is changed by the API and stays as it is here." }))
        } @else {
            div.row {
                (form::select("strategy", "Retries", &strategies, strategy))
                (Text::optional("duration", "First wait, seconds", duration).kind("number", "off").show(problem))
                (Text::optional("retry_count", "Attempts in all", count).kind("number", "off").show(problem))
            }
        }
        div.row {
            (Text::optional("ratelimit_count", "Events", rate).kind("number", "off").hint("0 for no limit.").show(problem))
            (Text::optional("ratelimit_duration", "in seconds", rate_duration).kind("number", "off").show(problem))
        }
        fieldset.choices.stacked {
            legend.visually-hidden { "Switches" }
            @for ((name, label), is_on) in SWITCHES.iter().zip(view.switches) {
                label { input type="checkbox" name=(name) value="true" checked[is_on]; (label) }
            }
        }
    }
}

/// What it says, for who may only read.
fn facts(view: &Settings) -> Markup {
    let labels = ["Name", "Retries", "First wait, seconds", "Attempts in all", "Events", "in seconds"];
    html! {
        dl.facts.stacked {
            @for (label, value) in labels.iter().zip(&view.values) { div { dt { (label) } dd { (value) } } }
            @for ((_, label), is_on) in SWITCHES.iter().zip(view.switches) { div { dt { (label) } dd { @if is_on { "Yes" } @else { "No" } } } }
        }
    }
}

/// The new key, which is shown once.
#[must_use]
pub fn new_key(frame: &Frame, key: &str) -> Markup {
    let back = frame.project.as_ref().map(|project| project.path("/settings")).unwrap_or_default();
    frame.document("New key", &html! {
        section.card.narrow {
            h1 { "New key" }
            p { "All others are refused from now on. This one is shown only now: keep it where your program finds it." }
            (code::block("Key", key))
            p { a.button href=(back) { "To the settings" } }
        }
    })
}
