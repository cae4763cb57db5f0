//! The filter of a list whose rows have a name and an owner.

use maud::{Markup, html};

use crate::events::text;

/// The form of the list at this path, with the part of the name and the owner that it was asked for.
#[must_use]
pub fn form(path: &str, name_part: &str, owner: &str) -> Markup {
    html! {
        form.filters method="get" action=(path) role="search" {
            (text("q", "Name contains", name_part, "search"))
            (text("ownerId", "Owner", owner, "text"))
            button.button type="submit" { "Filter" }
            @if !name_part.is_empty() || !owner.is_empty() { a href=(path) { "Clear" } }
        }
    }
}
