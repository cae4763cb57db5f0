//! The projects of everybody's organisations, and a form for a new one.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    code,
    form::{self, Problem, Text},
    frame::Frame,
    moment::ago,
    notice,
};

/// A project in the list.
#[derive(Debug, Clone)]
pub struct ProjectLine {
    /// The project.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An organisation with its projects.
#[derive(Debug, Clone)]
pub struct OrganisationSection {
    /// The organisation.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The reader's role in it.
    pub role: String,
    /// Whether the reader may make projects in it.
    pub is_admin: bool,
    /// Its projects, where the reader may see them.
    pub projects: Vec<ProjectLine>,
}

/// All of it.
#[must_use]
pub fn list(frame: &Frame, organisations: &[OrganisationSection]) -> Markup {
    frame.document("Projects", &html! {
        div.head { h1 { "Projects" } a.button href="/organisations/new" { "New organisation" } }
        @if organisations.is_empty() {
            (notice::empty("No organisation yet", &html! { "You are not a member of an organisation. Ask for an invitation, or " a href="/organisations/new" { "make one" } "." }))
        }
        @for organisation in organisations {
            section.card {
                div.head {
                    h2 { (organisation.name) }
                    span.muted { (organisation.role) }
                    a.button href={ "/organisations/" (organisation.id) } { "Members" }
                    @if organisation.is_admin {
                        a.button href={ "/organisations/" (organisation.id) "/new-project" } { "New project" }
                    }
                }
                @if organisation.projects.is_empty() {
                    p.muted { "No project yet." @if organisation.is_admin { " Make one: it keeps endpoints, events and keys apart from those of others." } }
                } @else {
                    table.list {
                        thead { tr { th scope="col" { "Project" } th scope="col" { "Kind" } th scope="col" { "Made" } } }
                        tbody {
                            @for project in &organisation.projects {
                                tr {
                                    td data-label="Project" { a.strong href={ "/projects/" (project.id) } { (project.name) } }
                                    td data-label="Kind" { (project.kind) }
                                    td data-label="Made" { (ago(project.created_at, frame.now)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// What a form for a new project holds.
#[derive(Debug, Clone, Default)]
pub struct NewProject {
    /// The organisation.
    pub organisation_id: String,
    /// Its name.
    pub organisation_name: String,
    /// The name that was typed.
    pub name: String,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The form for a new project.
#[must_use]
pub fn new(frame: &Frame, view: &NewProject) -> Markup {
    let problem = view.problem.as_ref();
    let kinds = [
        ("outgoing".to_string(), "Outgoing: you send webhooks to your customers".to_string()),
        ("incoming".to_string(), "Incoming: you receive webhooks of providers".to_string()),
    ];
    frame.document(
        "New project",
        &html! {
            section.card.narrow {
                h1 { "New project" }
                p.muted { "In " (view.organisation_name) "." }
                (form::summary(problem))
                form method="post" action={ "/organisations/" (view.organisation_id) "/new-project" } {
                    (form::token(frame))
                    (Text::required("name", "Name", &view.name).show(problem))
                    (form::select("type", "Kind", &kinds, &view.kind))
                    button.button.primary type="submit" { "Make the project" }
                }
            }
        },
    )
}

/// A project that was just made, with its first key, which is shown once.
#[must_use]
pub fn made(frame: &Frame, (id, name, key): (&str, &str, &str)) -> Markup {
    frame.document("Project made", &html! {
        section.card.narrow {
            h1 { (name) }
            p { "The project is made. This is its first key. It is shown only now: keep it where your program finds it." }
            (code::block("Key", key))
            p { a.button.primary href={ "/projects/" (id) } { "To the project" } }
        }
    })
}
