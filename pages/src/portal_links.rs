//! Portal links: by each a customer looks after its own endpoints.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    code,
    field::{self, Field, Input},
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact},
    notice, owner_filter,
    pager::Pager,
    values::Values,
};

/// The fields of the form, but for the endpoints.
pub const FIELDS: [Field; 4] = [
    Field::text("name", "Name").required(),
    Field::text("owner_id", "Owner")
        .hint("Whose endpoints it opens. A link that is changed may have none, and opens those that are chosen below."),
    Field::new("can_manage_endpoint", "Its holder may change endpoints and see their secrets", Input::Switch),
    Field::new(
        "auth_type",
        "Opened by",
        Input::Choice(&[
            ("static_token", "The link itself, until it is revoked"),
            ("refresh_token", "A key that lasts an hour"),
        ]),
    ),
];

/// A link in the list.
#[derive(Debug, Clone)]
pub struct PortalLinkLine {
    /// The link.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose endpoints it opens; empty for those that it lists.
    pub owner: String,
    /// How many endpoints it opens.
    pub endpoints: i64,
    /// Whether its holder may change them.
    pub can_manage: bool,
    /// `static_token` or `refresh_token`.
    pub auth_type: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct PortalLinkList {
    /// A part of the name.
    pub name_part: String,
    /// The owner.
    pub owner: String,
    /// Its links.
    pub rows: Vec<PortalLinkLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// One of them, or a new one.
#[derive(Debug, Clone, Default)]
pub struct PortalLinkView {
    /// As in the list; `None` for a new one.
    pub line: Option<PortalLinkLine>,
    /// What stands in the form.
    pub values: Values,
    /// Endpoints to choose from, by id and name.
    pub endpoints: Vec<(String, String)>,
    /// Those that are chosen.
    pub chosen: Vec<String>,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// Where its holder goes, where that was asked for.
    pub url: Option<String>,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, view: &PortalLinkList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Portal links", &html! {}) };
    let path = project.path("/portal-links");
    let is_narrow = !view.name_part.is_empty() || !view.owner.is_empty();
    frame.document("Portal links", &html! {
        div.head {
            h1 { "Portal links" }
            a.button href=(project.path("/settings/portal")) { "The portal's look" }
            @if project.is_manager { a.button.primary href={ (path) "/new" } { "New portal link" } }
        }
        (owner_filter::form(&path, &view.name_part, &view.owner))
        @if view.rows.is_empty() {
            (notice::empty(
                if is_narrow { "No portal link matches" } else { "No portal links yet" },
                &html! { "By a portal link a customer looks after its own endpoints, and sees nothing else. " @if project.is_manager { a href={ (path) "/new" } { "Make one" } "." } },
            ))
        } @else {
            table.list {
                thead { tr { th scope="col" { "Portal link" } th scope="col" { "Owner" } th scope="col" { "Endpoints" } th scope="col" { "Its holder" } th scope="col" { "Opened by" } th scope="col" { "Made" } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Portal link" { a.strong href={ (path) "/" (row.id) } { (row.name) } }
                            td data-label="Owner" { @if row.owner.is_empty() { span.muted { "–" } } @else { (row.owner) } }
                            td.number data-label="Endpoints" { (row.endpoints) }
                            td data-label="Its holder" { (rights(row.can_manage)) }
                            td data-label="Opened by" { (opened_by(&row.auth_type)) }
                            td data-label="Made" { (ago(row.created_at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    })
}

fn rights(can_manage: bool) -> Markup {
    if can_manage {
        badge(Tone::Busy, Icon::Settings, "Changes endpoints")
    } else {
        badge(Tone::Plain, Icon::Search, "Looks at them")
    }
}

fn opened_by(auth_type: &str) -> &str {
    match auth_type {
        "static_token" => "The link itself",
        "refresh_token" => "A key for an hour",
        other => other,
    }
}

/// The page of one.
#[must_use]
pub fn one(frame: &Frame, view: &PortalLinkView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Portal link", &html! {}) };
    let list = project.path("/portal-links");
    let Some(line) = &view.line else {
        return frame.document("New portal link", &html! {
            p.crumbs { a href=(list) { (icon(Icon::Back)) "Portal links" } }
            section.card.narrow { h1 { "New portal link" } (fill_in(frame, view, (&format!("{list}/new"), "Make the portal link"))) }
        });
    };
    let path = format!("{list}/{}", line.id);
    let has_keys = line.auth_type == "refresh_token";
    frame.document(&line.name, &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Portal links" } }
        div.head {
            h1 { (line.name) }
            (rights(line.can_manage))
            @if project.is_manager { (form::action(frame, &format!("{path}/url"), if has_keys { "Make a key" } else { "Show the URL" }, "button primary")) }
        }
        @if let Some(url) = &view.url {
            section.card #url {
                h2 { "URL for its holder" }
                @if has_keys { p { "It holds a key that is valid for an hour and shown only now. Those before it stay valid." } }
                @else { p { "Whoever has it looks after the endpoints, until the link is revoked." } }
                (code::block("URL of the portal", url))
            }
        }
        section.card {
            h2 { "What it opens" }
            dl.facts.stacked {
                div { dt { "Owner" } dd { @if line.owner.is_empty() { "None: it opens those that it lists" } @else { (line.owner) } } }
                div { dt { "Endpoints" } dd { (line.endpoints) } }
                div { dt { "Opened by" } dd { (opened_by(&line.auth_type)) } }
                div { dt { "Made" } dd { (exact(line.created_at)) } }
                div { dt { "Id" } dd.id { (line.id) } }
            }
        }
        @if project.is_manager {
            section.card { h2 { "Change" } p.muted { "Another way to open it ends the token and the keys that it has." } (fill_in(frame, view, (&path, "Save"))) }
            section.card {
                h2 { "Revoke" }
                (form::careful_action(frame, &format!("{path}/revoke"), ("Revoke the portal link", "It opens nothing any more, within five seconds and for good. The endpoints stay.")))
            }
        }
    })
}

fn fill_in(frame: &Frame, view: &PortalLinkView, (to, label): (&str, &str)) -> Markup {
    let problem = view.problem.as_ref();
    let of_endpoints = problem.filter(|problem| problem.field == "endpoints");
    html! {
        (form::summary(problem))
        form method="post" action=(to) {
            (form::token(frame))
            (field::all(&FIELDS, &view.values, problem))
            @if !view.endpoints.is_empty() {
                fieldset.choices.stacked aria-describedby="endpoints-hint" {
                    legend { "Endpoints" span.muted { " (optional)" } }
                    p.hint id="endpoints-hint" { "Those that are chosen become its owner's, if it has one." }
                    div.choices.scrolled tabindex="0" role="group" aria-label="Endpoints" {
                        @for (id, name) in &view.endpoints {
                            label { input type="checkbox" name="endpoints" value=(id) checked[view.chosen.contains(id)]; " " (name) }
                        }
                    }
                    @if let Some(own) = of_endpoints { p.field-error id="endpoints-error" { (icon(Icon::Warning)) (own.text) } }
                }
            }
            button.button.primary type="submit" { (label) }
        }
    }
}
