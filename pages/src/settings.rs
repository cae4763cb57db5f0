//! Settings of a project, its keys, and its end.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    code,
    field::{self, Input},
    form::{self, Problem, Text},
    frame::Frame,
    moment::{ago, exact},
    settings_fields::{GROUPS, Group},
    values::Values,
};

/// The names of the fields of a new key.
pub const KEY_FIELDS: [&str; 3] = ["key_name", "role", "expiration"];

/// A key of the project.
#[derive(Debug, Clone)]
pub struct ProjectKeyLine {
    /// The key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What the page holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What stands in the fields.
    pub values: Values,
    /// What was wrong with them.
    pub problem: Option<Problem>,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// Its live keys.
    pub keys: Vec<ProjectKeyLine>,
    /// What was wrong with a new key.
    pub key_problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &Settings) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Settings", &html! {}) };
    let path = project.path("/settings");
    frame.document("Settings", &html! {
        div.head {
            h1 { "Settings" } span.muted { (view.kind) " project" }
            a.button href={ (path) "/portal" } { "The portal's look" }
        }
        @if project.is_manager {
            section.card {
                (form::summary(view.problem.as_ref()))
                form method="post" action=(path) {
                    (form::token(frame))
                    @for group in &GROUPS { (fill_in(view, group)) }
                    button.button.primary type="submit" { "Save" }
                }
            }
            section.card #keys { h2 { "Keys" } (keys(frame, view, &path)) }
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{path}/delete"), ("Delete the project", "It can no longer be read, and nothing of it is delivered any more.")))
            }
        } @else { @for group in &GROUPS { (facts(&view.values, group)) } }
    })
}

fn fill_in(view: &Settings, group: &Group) -> Markup {
    let problem = view.problem.as_ref();
    let fields = field::all(group.fields, &view.values, problem);
    let has_problem = problem.is_some_and(|problem| group.fields.iter().any(|field| field.name == problem.field));
    html! {
        @if group.is_rare {
            details.more.group open[has_problem] { summary { (group.title) } div.more-fields { (fields) } }
        } @else {
            fieldset.choices.stacked.group { legend.strong { (group.title) } (fields) }
        }
    }
}

/// What a group says, for who may only read.
pub(crate) fn facts(values: &Values, group: &Group) -> Markup {
    html! {
        section.card {
            h2 { (group.title) }
            dl.facts.stacked.wide-labels {
                @for field in group.fields {
                    div {
                        dt { (field.label) }
                        dd {
                            @let text = values.text(field.name);
                            @if field.input == Input::Switch { @if text.is_empty() { "No" } @else { "Yes" } }
                            @else if values.is_stored(field.name) { "Stored, and not shown" }
                            @else if text.is_empty() { span.muted { "–" } }
                            @else { (text) }
                        }
                    }
                }
            }
        }
    }
}

fn keys(frame: &Frame, view: &Settings, path: &str) -> Markup {
    let problem = view.key_problem.as_ref();
    let roles = [("project_admin", "Everything in the project"), ("project_viewer", "Read the project")]
        .map(|(word, label)| (word.to_string(), label.to_string()));
    html! {
        p.muted { "Programs use a key of the project. Each is shown once, when it is made." }
        @if !view.keys.is_empty() {
            table.list.inner {
                thead { tr { th scope="col" { "Key" } th scope="col" { "It may" } th scope="col" { "Made" } th scope="col" { "Ends" } th scope="col" { span.visually-hidden { "Actions" } } } }
                tbody {
                    @for key in &view.keys {
                        tr {
                            td data-label="Key" { span.strong { (key.name) } div.id { (key.id) } }
                            td data-label="It may" { (key.role.replace('_', " ")) }
                            td data-label="Made" { (ago(key.created_at, frame.now)) }
                            td data-label="Ends" { @match key.expires_at { Some(at) => span.muted { (exact(at)) }, None => "Never" } }
                            td data-label="" { (form::careful_action(frame, &format!("{path}/keys/{}/revoke", key.id), ("Revoke", "Programs that use it are refused at once."))) }
                        }
                    }
                }
            }
        }
        (form::summary(problem))
        form method="post" action={ (path) "/keys" } {
            (form::token(frame))
            div.row {
                (Text::required("key_name", "Name", "").show(problem))
                (form::select("role", "It may", &roles, "project_admin"))
                (Text::optional("expiration", "Days until it ends", "").kind("number", "off").hint("It never ends where it is empty.").show(problem))
            }
            button.button type="submit" { "Make a key" }
        }
        (form::careful_action(frame, &format!("{path}/regenerate-key"), ("Replace all keys by a new one", "Every key of the project so far is refused at once. The new one is shown once.")))
    }
}

/// The new key, which is shown once.
#[must_use]
pub fn new_key(frame: &Frame, (key, is_only): (&str, bool)) -> Markup {
    let back = frame.project.as_ref().map(|project| project.path("/settings")).unwrap_or_default();
    frame.document(
        "New key",
        &html! {
            section.card.narrow {
                h1 { "New key" }
                @if is_only { p { "All others are refused from now on." } }
                p { "This one is shown only now: keep it where your program finds it." }
                (code::block("Key", key))
                p { a.button href=(back) { "To the settings" } }
            }
        },
    )
}
