//! Pages and boxes that say something: errors, empty lists, what was just done.

use maud::{Markup, html};

use crate::{
    frame::Frame,
    icon::{Icon, icon},
};

/// Where there is nothing to show: what would be here, and what to do.
#[must_use]
pub fn empty(title: &str, text: &Markup) -> Markup {
    html! {
        div.empty {
            h2 { (title) }
            p { (text) }
        }
    }
}

/// A sentence that is worth a look.
#[must_use]
pub fn warning(text: &Markup) -> Markup {
    html! { p.notice.odd { (icon(Icon::Warning)) span { (text) } } }
}

/// A page that says why there is no other.
#[must_use]
pub fn error(frame: &Frame, code: u16, text: &str) -> Markup {
    let (title, hint) = match code {
        403 => ("Not allowed", "Your role does not allow this. An administrator of the organisation can change it."),
        404 => ("Not found", "There is no such page, or it is not yours to see."),
        429 => ("Too many attempts", "Wait a while, then try again."),
        503 => ("Unavailable", "Something that this page needs is away. Try again in a moment."),
        504 => ("Too slow", "The list took too long. Ask for less time, or for less at once."),
        400..=499 => ("This cannot be done", "Go back and look at what was entered."),
        _ => ("Something went wrong", "It is our fault, and the cause is in the log of the API."),
    };
    frame.document(
        title,
        &html! {
            div.error-page {
                p.error-code { (code) }
                h1 { (title) }
                @if !text.is_empty() { p.lead { (text) } }
                p.muted { (hint) }
                p { a.button href="/projects" { "To the projects" } }
            }
        },
    )
}
