//! Pages for who is not signed in: signing up, a forgotten password, and what the links in mails lead to.

use maud::{Markup, html};

use crate::{
    form::{self, Problem, Text},
    frame::Frame,
};

/// The names of the fields of somebody new.
pub const SIGN_UP_FIELDS: [&str; 5] = ["first_name", "last_name", "email", "password", "org_name"];
/// The names of the fields of who accepts an invitation.
pub const INVITEE_FIELDS: [&str; 3] = ["first_name", "last_name", "password"];
/// The names of the fields of a new password.
pub const PASSWORD_FIELDS: [&str; 2] = ["password", "password_confirmation"];

const PASSWORD_HINT: &str = "At least 8 characters.";

/// What somebody new typed.
#[derive(Debug, Clone, Default)]
pub struct SignUp {
    /// First name, last name, address, and the organisation's name.
    pub values: [String; 4],
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// Signing up.
#[must_use]
pub fn sign_up(frame: &Frame, view: &SignUp) -> Markup {
    let problem = view.problem.as_ref();
    let [first, last, email, organisation] = &view.values;
    frame.document("Sign up", &html! {
        section.card.narrow {
            h1 { "Sign up" }
            (form::summary(problem))
            form method="post" action="/sign-up" {
                div.row {
                    (Text { autocomplete: "given-name", ..Text::required("first_name", "First name", first) }.show(problem))
                    (Text { autocomplete: "family-name", ..Text::required("last_name", "Last name", last) }.show(problem))
                }
                (Text::required("email", "Email", email).kind("email", "username").show(problem))
                (Text::required("password", "Password", "").kind("password", "new-password").hint(PASSWORD_HINT).show(problem))
                (Text { autocomplete: "organization", ..Text::required("org_name", "Organisation", organisation) }.show(problem))
                button.button.primary type="submit" { "Sign up" }
            }
            p { a href="/sign-in" { "Sign in instead" } }
        }
    })
}

/// Asking for a mail by which a new password can be chosen.
#[must_use]
pub fn forgot(frame: &Frame, (email, is_sent): (&str, bool), problem: Option<&Problem>) -> Markup {
    frame.document("Forgotten password", &html! {
        section.card.narrow {
            h1 { "Forgotten password" }
            @if is_sent {
                p role="status" { "If there is an account with this address, a mail with a link is on its way. The link is valid for 30 minutes." }
            } @else {
                (form::summary(problem))
                form method="post" action="/forgot-password" {
                    (Text::required("email", "Email", email).kind("email", "username").show(problem))
                    button.button.primary type="submit" { "Send me a link" }
                }
            }
            p { a href="/sign-in" { "Back to signing in" } }
        }
    })
}

/// Choosing a new password with the token of a mail.
#[must_use]
pub fn reset(frame: &Frame, token: &str, problem: Option<&Problem>) -> Markup {
    frame.document("New password", &html! {
        section.card.narrow {
            h1 { "New password" }
            p.muted { "All sessions end with it." }
            (form::summary(problem))
            form method="post" action="/reset-password" {
                input type="hidden" name="token" value=(token);
                (Text::required("password", "New password", "").kind("password", "new-password").hint(PASSWORD_HINT).show(problem))
                (Text::required("password_confirmation", "The same again", "").kind("password", "new-password").show(problem))
                button.button.primary type="submit" { "Choose it" }
            }
            p { a href="/forgot-password" { "Ask for another link" } }
        }
    })
}

/// Proving an address with the token of a mail. A form, since programs that look at mails follow links.
#[must_use]
pub fn verify(frame: &Frame, token: &str, problem: Option<&Problem>) -> Markup {
    frame.document(
        "Verify the address",
        &html! {
            section.card.narrow {
                h1 { "Verify the address" }
                (form::summary(problem))
                form method="post" action="/verify-email" {
                    input type="hidden" name="token" value=(token);
                    button.button.primary type="submit" { "The address is mine" }
                }
            }
        },
    )
}

/// An invitation that is answered.
#[derive(Debug, Clone, Default)]
pub struct Invitation {
    /// The token of the mail.
    pub token: String,
    /// The organisation's name.
    pub organisation: String,
    /// The address that was invited.
    pub email: String,
    /// Whether the address has an account.
    pub has_account: bool,
    /// First and last name, as they were typed.
    pub values: [String; 2],
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// Answering an invitation.
#[must_use]
pub fn invitation(frame: &Frame, view: &Invitation) -> Markup {
    let problem = view.problem.as_ref();
    let [first, last] = &view.values;
    frame.document("Invitation", &html! {
        section.card.narrow {
            h1 { "Invitation" }
            p { b { (view.email) } " is invited to the organisation " b { (view.organisation) } "." }
            (form::summary(problem))
            form method="post" action="/accept-invite" {
                input type="hidden" name="token" value=(view.token);
                @if !view.has_account {
                    div.row {
                        (Text { autocomplete: "given-name", ..Text::required("first_name", "First name", first) }.show(problem))
                        (Text { autocomplete: "family-name", ..Text::required("last_name", "Last name", last) }.show(problem))
                    }
                    (Text::required("password", "Password", "").kind("password", "new-password").hint(PASSWORD_HINT).show(problem))
                }
                div.row {
                    button.button.primary type="submit" name="accepted" value="true" { "Accept" }
                    button.button type="submit" name="accepted" value="false" formnovalidate { "Decline" }
                }
            }
        }
    })
}

/// A link that leads nowhere any more.
#[must_use]
pub fn void(frame: &Frame) -> Markup {
    frame.document(
        "This link is void",
        &html! {
            section.card.narrow {
                h1 { "This link is void" }
                p { "It was used, it is too old, or another one was sent after it." }
                p { a href="/sign-in" { "To signing in" } }
            }
        },
    )
}
