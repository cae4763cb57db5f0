//! One's own account: names and address, password, personal keys.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    code,
    form::{self, Problem, Text},
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact},
};

/// The names of the fields of the forms.
pub const FIELDS: [&str; 8] =
    ["first_name", "last_name", "email", "current_password", "password", "password_confirmation", "name", "expiration"];

/// A personal key.
#[derive(Debug, Clone)]
pub struct KeyLine {
    /// The key.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Which form a problem is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Names and address.
    #[default]
    Profile,
    /// The password.
    Password,
    /// A new key.
    Key,
}

/// An account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Address.
    pub email: String,
    /// Whether it was proved.
    pub is_verified: bool,
    /// Live personal keys.
    pub keys: Vec<KeyLine>,
    /// The key that was just made, which is shown once.
    pub new_key: Option<String>,
    /// What was wrong, and in which form.
    pub problem: Option<(Form, Problem)>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &Account) -> Markup {
    let of = |form: Form| view.problem.as_ref().filter(|(own, _)| *own == form).map(|(_, problem)| problem);
    frame.document(
        "Account",
        &html! {
            p.crumbs { a href="/projects" { (icon(Icon::Back)) "Projects" } }
            div.head { h1 { "Account" } }
            section.card { h2 { "You" } (profile(frame, view, of(Form::Profile))) }
            section.card { h2 { "Password" } (password(frame, of(Form::Password))) }
            section.card #keys { h2 { "Personal keys" } (keys(frame, view, of(Form::Key))) }
        },
    )
}

fn profile(frame: &Frame, view: &Account, problem: Option<&Problem>) -> Markup {
    html! {
        (form::summary(problem))
        form method="post" action="/account/profile" {
            (form::token(frame))
            div.row {
                (Text { autocomplete: "given-name", ..Text::required("first_name", "First name", &view.first_name) }.show(problem))
                (Text { autocomplete: "family-name", ..Text::required("last_name", "Last name", &view.last_name) }.show(problem))
            }
            (Text::required("email", "Email", &view.email).kind("email", "email").hint(if view.is_verified { "Verified." } else { "Not verified yet." }).show(problem))
            (Text::optional("current_password", "Current password", "").kind("password", "current-password").hint("Only to change the address.").show(problem))
            button.button.primary type="submit" { "Save" }
        }
    }
}

fn password(frame: &Frame, problem: Option<&Problem>) -> Markup {
    html! {
        p.muted { "A new password ends all other sessions." }
        (form::summary(problem))
        form method="post" action="/account/password" {
            (form::token(frame))
            (Text::required("old_password", "Current password", "").kind("password", "current-password").show(problem))
            (Text::required("password", "New password", "").kind("password", "new-password").hint("At least 8 characters.").show(problem))
            (Text::required("password_confirmation", "The same again", "").kind("password", "new-password").show(problem))
            button.button type="submit" { "Change the password" }
        }
    }
}

fn keys(frame: &Frame, view: &Account, problem: Option<&Problem>) -> Markup {
    html! {
        p.muted { "A personal key does what you may, wherever you are a member. Give one to a program that works for you." }
        @if let Some(key) = &view.new_key {
            p { "The new key is shown only now:" }
            (code::block("New key", key))
        }
        @if view.keys.is_empty() {
            p.muted { "You have none." }
        } @else {
            table.list.inner {
                thead { tr { th scope="col" { "Key" } th scope="col" { "Made" } th scope="col" { "Ends" } th scope="col" { span.visually-hidden { "Actions" } } } }
                tbody {
                    @for key in &view.keys {
                        tr {
                            td data-label="Key" { span.strong { (key.name) } div.id { (key.id) } }
                            td data-label="Made" { (ago(key.created_at, frame.now)) }
                            td data-label="Ends" { @match key.expires_at { Some(at) => span.muted { (exact(at)) }, None => "Never" } }
                            td data-label="" { (form::action(frame, &format!("/account/keys/{}/revoke", key.id), "Revoke", "button small danger")) }
                        }
                    }
                }
            }
        }
        (form::summary(problem))
        form method="post" action="/account/keys" {
            (form::token(frame))
            div.row {
                (Text::required("name", "Name", "").show(problem))
                (Text::optional("expiration", "Days until it ends", "").kind("number", "off").hint("One day where it is empty.").show(problem))
            }
            button.button type="submit" { "Make a key" }
        }
    }
}
