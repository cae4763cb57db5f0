//! Pages that say why there is no other.

use maud::{Markup, html};

use super::frame::PortalFrame;

/// A page that says why there is no other. `text` is what the API said of it, or nothing.
#[must_use]
pub fn error(frame: &PortalFrame, code: u16, text: &str) -> Markup {
    let t = frame.language.strings;
    let (title, hint) = match code {
        401 => (&t.error_closed, &t.error_closed_hint),
        403 => (&t.error_forbidden, &t.error_forbidden_hint),
        404 => (&t.error_not_found, &t.error_not_found_hint),
        503 | 504 => (&t.error_unavailable, &t.error_unavailable_hint),
        400..=499 => (&t.error_refused, &t.error_refused_hint),
        _ => (&t.error_ours, &t.error_ours_hint),
    };
    frame.document(
        title,
        &html! {
            div.error-page {
                p.error-code { (code) }
                h1 { (title) }
                @if !text.is_empty() { p.lead { (text) } }
                p.muted { (hint) }
                @if !frame.base.is_empty() { p { a.button href=(frame.path("/endpoints")) { (t.to_endpoints) } } }
            }
        },
    )
}

/// Where there is nothing to show: what would be here.
#[must_use]
pub fn empty(title: &str, text: &str) -> Markup {
    html! { div.empty { h2 { (title) } p { (text) } } }
}
