//! From one page of a list to the next.

use maud::{Markup, html};

use super::frame::PortalFrame;
use crate::pager::Pager;

/// The links of a list whose address `pager.path` is below the portal.
#[must_use]
pub fn show(frame: &PortalFrame, pager: &Pager) -> Markup {
    let t = frame.language.strings;
    let link = |direction: &str, key: &str, cursor: &str| {
        let mut query = pager.query.clone();
        query.push(("direction".into(), direction.into()));
        query.push((key.into(), cursor.into()));
        frame.link(&pager.path, &query)
    };
    html! {
        @if pager.previous.is_some() || pager.next.is_some() {
            nav.pager aria-label=(t.pages) {
                @if let Some(cursor) = &pager.previous {
                    a.button rel="prev" href=(link("prev", "prev_page_cursor", cursor)) { (t.newer) }
                }
                @if let Some(cursor) = &pager.next {
                    a.button rel="next" href=(link("next", "next_page_cursor", cursor)) { (t.older) }
                }
            }
        }
    }
}
