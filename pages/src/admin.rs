//! What is around the pages of those who run the instance.

use maud::{Markup, html};

/// Which of them a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Periodic jobs.
    Schedules,
    /// Queues and their dead letters.
    Queues,
}

/// The way from one to the next, and to the job board, where its address is known.
#[must_use]
pub fn tabs(own: Section, board: Option<&str>) -> Markup {
    let sections =
        [(Section::Schedules, "/admin/schedules", "Schedules"), (Section::Queues, "/admin/queues", "Queues")];
    html! {
        p.small.muted { "For those who run the instance" }
        nav.tabs.fit aria-label="Administration" {
            @for (section, to, label) in sections { a href=(to) aria-current=[(section == own).then_some("page")] { (label) } }
            @if let Some(board) = board { a href=(board) rel="noreferrer" { "Job board" } }
        }
    }
}
