//! An organisation: its name, who belongs to it, and who is invited.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    code,
    form::{self, Problem, Text},
    frame::Frame,
    icon::{Icon, icon},
    moment::ago,
    pager::Pager,
};

/// The names of the form's fields.
pub const FIELDS: [&str; 2] = ["invitee_email", "name"];

/// A member.
#[derive(Debug, Clone)]
pub struct MemberLine {
    /// Who.
    pub id: String,
    /// First and last name; may be empty.
    pub name: String,
    /// Address.
    pub email: String,
    /// The role, by its word.
    pub role: String,
    /// Whether it is the reader.
    pub is_self: bool,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A pending invitation.
#[derive(Debug, Clone)]
pub struct InviteLine {
    /// The invitation.
    pub id: String,
    /// Address.
    pub email: String,
    /// The role, by its word.
    pub role: String,
    /// When it can no longer be accepted.
    pub ends: DateTime<Utc>,
}

/// An organisation.
#[derive(Debug, Clone, Default)]
pub struct OrganisationView {
    /// The organisation.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether the reader decides on it.
    pub is_admin: bool,
    /// The roles that the reader may give, by their words.
    pub roles: Vec<String>,
    /// Its members.
    pub members: Vec<MemberLine>,
    /// The pages around them.
    pub pager: Pager,
    /// Who is invited.
    pub invites: Vec<InviteLine>,
    /// The address that was typed.
    pub email: String,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// The way by which somebody accepts who was just invited.
    pub link: Option<String>,
}

/// A role as people read it.
#[must_use]
pub fn role(word: &str) -> String {
    let mut text = word.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &OrganisationView) -> Markup {
    let path = format!("/organisations/{}", view.id);
    frame.document(&view.name, &html! {
        p.crumbs { a href="/projects" { (icon(Icon::Back)) "Projects" } }
        div.head { h1 { (view.name) } @if view.is_admin { a.button href={ (path) "/audit-log" } { "Audit log" } } }
        section.card { h2 { "Members" } (members(frame, view, &path)) (view.pager.show()) }
        @if view.is_admin {
            section.card #invitations {
                h2 { "Invitations" }
                (form::summary(view.problem.as_ref()))
                @if let Some(link) = &view.link {
                    p { "Who was invited accepts by this link. It was mailed where mail is set up, and is shown only now." }
                    (code::block("Link of the invitation", link))
                }
                (invites(frame, view, &path))
                form method="post" action={ (path) "/invites" } {
                    (form::token(frame))
                    div.row {
                        (Text::required("invitee_email", "Email", &view.email).kind("email", "off").show(view.problem.as_ref()))
                        (form::select("role", "Role", &choices(view), "project_viewer"))
                    }
                    button.button.primary type="submit" { "Invite" }
                }
            }
            section.card {
                h2 { "Name" }
                form method="post" action={ (path) "/rename" } {
                    (form::token(frame))
                    (Text::required("name", "Name", &view.name).show(view.problem.as_ref()))
                    button.button type="submit" { "Rename" }
                }
            }
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{path}/delete"), ("Delete the organisation", "It ends with all its projects: their keys are refused, nothing of them is delivered any more, and nobody is a member.")))
            }
        }
    })
}

/// The form for a new one, as it was typed.
#[must_use]
pub fn new(frame: &Frame, (name, problem): (&str, Option<&Problem>)) -> Markup {
    frame.document(
        "New organisation",
        &html! {
            p.crumbs { a href="/projects" { (icon(Icon::Back)) "Projects" } }
            section.card.narrow {
                h1 { "New organisation" }
                p.muted { "Whoever makes it is its administrator. Members and projects of one see nothing of another." }
                (form::summary(problem))
                form method="post" action="/organisations/new" {
                    (form::token(frame))
                    (Text::required("name", "Name", name).show(problem))
                    button.button.primary type="submit" { "Make the organisation" }
                }
            }
        },
    )
}

fn choices(view: &OrganisationView) -> Vec<(String, String)> {
    view.roles.iter().map(|word| (word.clone(), role(word))).collect()
}

fn members(frame: &Frame, view: &OrganisationView, path: &str) -> Markup {
    html! {
        table.list {
            thead { tr { th scope="col" { "Member" } th scope="col" { "Role" } th scope="col" { "Since" } th scope="col" { span.visually-hidden { "Actions" } } } }
            tbody {
                @for member in &view.members {
                    @let own = format!("{path}/members/{}", member.id);
                    tr {
                        td data-label="Member" { span.strong { (if member.name.is_empty() { &member.email } else { &member.name }) } @if !member.name.is_empty() { div.muted.small { (member.email) } } }
                        td data-label="Role" {
                            @if view.is_admin && !member.is_self && view.roles.contains(&member.role) {
                                form.inline.row method="post" action=(own) {
                                    (form::token(frame))
                                    select name="role" aria-label={ "Role of " (member.email) } {
                                        @for word in &view.roles { option value=(word) selected[*word == member.role] { (role(word)) } }
                                    }
                                    button.button type="submit" { "Change" }
                                }
                            } @else { (role(&member.role)) }
                        }
                        td data-label="Since" { (ago(member.since, frame.now)) }
                        td data-label="" {
                            @if view.is_admin || member.is_self {
                                (form::careful_action(frame, &format!("{own}/remove"), if member.is_self { ("Leave", "You see nothing of this organisation any more.") } else { ("Remove", "They see nothing of this organisation any more.") }))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn invites(frame: &Frame, view: &OrganisationView, path: &str) -> Markup {
    html! {
        @if view.invites.is_empty() {
            p.muted { "Nobody is invited." }
        } @else {
            ul.lines {
                @for invite in &view.invites {
                    li.row {
                        span { span.strong { (invite.email) } span.muted { " as " (role(&invite.role).to_lowercase()) ", until " (ago(invite.ends, frame.now)) } }
                        (form::action(frame, &format!("{path}/invites/{}/resend", invite.id), "Send again", "button small"))
                        (form::action(frame, &format!("{path}/invites/{}/cancel", invite.id), "Cancel", "button small"))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_words() {
        assert_eq!((role("project_viewer"), role("")), ("Project viewer".into(), String::new()));
    }
}
