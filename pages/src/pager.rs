//! From one page of a list to the next: by keyset, so that a page far back costs what the first does.

use maud::{Markup, html};

use crate::link::Link;

/// How to go on from a page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pager {
    /// The list's own address.
    pub path: String,
    /// The filters that stay.
    pub query: Vec<(String, String)>,
    /// The first row of this page, where there are rows before.
    pub previous: Option<String>,
    /// The first row of the next page.
    pub next: Option<String>,
}

impl Pager {
    /// The links.
    #[must_use]
    pub fn show(&self) -> Markup {
        let link = |direction: &str, key: &str, cursor: &str| {
            Link::to(&self.path).with_query(&self.query).with("direction", direction).with(key, cursor).build()
        };
        html! {
            @if self.previous.is_some() || self.next.is_some() {
                nav.pager aria-label="Pages" {
                    @if let Some(cursor) = &self.previous {
                        a.button rel="prev" href=(link("prev", "prev_page_cursor", cursor)) { "Newer" }
                    }
                    @if let Some(cursor) = &self.next {
                        a.button rel="next" href=(link("next", "next_page_cursor", cursor)) { "Older" }
                    }
                }
            }
        }
    }
}
