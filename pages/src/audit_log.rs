//! Who changed what, in a project or in a whole organisation.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    events::text,
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    moment::ago,
    notice,
    pager::Pager,
};

/// What differs in a field.
#[derive(Debug, Clone)]
pub struct Change {
    /// The field.
    pub field: String,
    /// What it was and what it became, as JSON; `None`: it is secret.
    pub values: Option<(String, String)>,
}

/// A line of the log.
#[derive(Debug, Clone)]
pub struct AuditLine {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as people know them.
    pub actor: String,
    /// `user`, `project_key` and so on.
    pub actor_kind: String,
    /// The user, the key or the link; empty for nobody.
    pub actor_id: String,
    /// What was done, as `endpoint.update`.
    pub action: String,
    /// What kind of thing it was done to.
    pub resource_kind: String,
    /// Which one; empty where it was done to several.
    pub resource_id: String,
    /// Whether it is known that it was done.
    pub is_confirmed: bool,
    /// The fields that differ.
    pub changes: Vec<Change>,
    /// Where the request came from.
    pub source_address: String,
    /// The program that sent it.
    pub user_agent: String,
    /// The id of the request.
    pub request_id: String,
}

/// What of the log was asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// The user, the key or the link.
    pub actor_id: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource_id: String,
    /// From when on.
    pub from: String,
    /// Until when.
    pub to: String,
}

/// A page of the log.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    /// The log's own address.
    pub path: String,
    /// The organisation, by id and name; `None`: it is a project's.
    pub organisation: Option<(String, String)>,
    /// What was asked for.
    pub query: AuditQuery,
    /// What was wrong with it.
    pub problem: Option<Problem>,
    /// What can be done, by its words.
    pub actions: Vec<String>,
    /// The lines.
    pub rows: Vec<AuditLine>,
    /// The pages around them.
    pub pager: Pager,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &AuditLog) -> Markup {
    frame.document("Audit log", &html! {
        @if let Some((id, name)) = &view.organisation { p.crumbs { a href={ "/organisations/" (id) } { (icon(Icon::Back)) (name) } } }
        div.head { h1 { "Audit log" } }
        p.muted { "Who changed what" @if view.organisation.is_some() { ", in the organisation and its projects" } ". Without a date, the last seven days." }
        (filters(view))
        @if view.rows.is_empty() {
            (notice::empty("Nothing was changed", &html! { "No line matches within this time." }))
        } @else {
            table.list {
                thead { tr { th scope="col" { "What" } th scope="col" { "Who" } th scope="col" { "Changes" } th scope="col" { "From" } th scope="col" { "When" } } }
                tbody { @for row in &view.rows { (line(frame, row)) } }
            }
            (view.pager.show())
        }
    })
}

fn filters(view: &AuditLog) -> Markup {
    let query = &view.query;
    let mut actions = vec![(String::new(), "Everything".to_string())];
    actions.extend(view.actions.iter().map(|action| (action.clone(), action.clone())));
    html! {
        @if let Some(problem) = &view.problem { p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } } }
        form.filters method="get" action=(view.path) role="search" {
            (form::select("action", "What was done", &actions, &query.action))
            (text("actorId", "Who (id)", &query.actor_id, "text"))
            (text("resourceId", "To what (id)", &query.resource_id, "text"))
            (text("startDate", "From (UTC)", &query.from, "datetime-local"))
            (text("endDate", "Until (UTC)", &query.to, "datetime-local"))
            button.button.primary type="submit" { "Filter" }
            a href=(view.path) { "Clear" }
        }
    }
}

fn line(frame: &Frame, row: &AuditLine) -> Markup {
    html! {
        tr {
            td data-label="What" {
                span {
                    span.strong { (row.action) }
                    @if !row.is_confirmed { " " (badge(Tone::Odd, Icon::Warning, "Not confirmed")) }
                    div.id { (row.resource_kind.replace('_', " ")) " " (row.resource_id) }
                }
            }
            td data-label="Who" { span { (row.actor) div.small.muted { (row.actor_kind.replace('_', " ")) } @if row.actor != row.actor_id { div.id { (row.actor_id) } } } }
            td data-label="Changes" { (changes(&row.changes)) }
            td data-label="From" { span.small { (row.source_address) @if !row.user_agent.is_empty() { div.muted.cut title=(row.user_agent) { (row.user_agent) } } div.id title="Id of the request" { (row.request_id) } } }
            td data-label="When" { (ago(row.at, frame.now)) }
        }
    }
}

fn changes(of: &[Change]) -> Markup {
    html! {
        @if of.is_empty() {
            span.muted { "–" }
        } @else {
            dl.changes {
                @for change in of {
                    div {
                        dt { (change.field) }
                        @match &change.values {
                            Some((before, after)) => dd { del { (before) } " " span aria-hidden="true" { "→" } " " ins { (after) } },
                            None => dd.muted { "changed, and not shown" },
                        }
                    }
                }
            }
        }
    }
}
