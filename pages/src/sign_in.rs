//! Signing in.

use maud::{Markup, html};

use crate::{
    form::{self, Problem, Text},
    frame::Frame,
};

/// What the page knows.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// The address that was typed.
    pub email: String,
    /// Where to go afterwards, within the dashboard; may be empty.
    pub next: String,
    /// Whether anybody may sign up.
    pub is_sign_up_open: bool,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &SignIn) -> Markup {
    let problem = view.problem.as_ref();
    frame.document(
        "Sign in",
        &html! {
            section.card.narrow {
                h1 { "Sign in" }
                (form::summary(problem))
                form method="post" action="/sign-in" {
                    input type="hidden" name="next" value=(view.next);
                    (Text::required("email", "Email", &view.email).kind("email", "username").show(problem))
                    (Text::required("password", "Password", "").kind("password", "current-password").show(problem))
                    button.button.primary type="submit" { "Sign in" }
                }
                p.row {
                    a href="/forgot-password" { "Forgotten password" }
                    @if view.is_sign_up_open { a href="/sign-up" { "Sign up" } }
                }
            }
        },
    )
}
