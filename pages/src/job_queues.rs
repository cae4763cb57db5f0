//! Queues of jobs and their dead letters, for those who run the instance.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    admin::{self, Section},
    badge::{Tone, badge},
    code, form,
    frame::Frame,
    icon::{Icon, icon},
    link::{Link, segment},
    moment::{ago, count, exact},
    notice,
    sources::number,
};

/// A queue.
#[derive(Debug, Clone, Default)]
pub struct QueueLine {
    /// Its name.
    pub name: String,
    /// Whether workers take no jobs of it.
    pub is_paused: bool,
    /// Jobs that may run now.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub delayed: u64,
    /// Jobs that run.
    pub running: u64,
    /// Live jobs whose last try failed.
    pub failing: u64,
    /// Dead letters.
    pub dead: u64,
    /// Jobs done today.
    pub done_today: u64,
}

/// A dead letter.
#[derive(Debug, Clone)]
pub struct DeadLetterLine {
    /// The job.
    pub id: String,
    /// Why it was given up.
    pub reason: String,
    /// Failed tries.
    pub tries: u32,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// When it was given up.
    pub died_at: DateTime<Utc>,
}

/// Dead letters of a queue.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterList {
    /// The queue.
    pub queue: QueueLine,
    /// Letters before these.
    pub offset: u64,
    /// How many a page has.
    pub limit: u64,
    /// The letters, the newest first.
    pub rows: Vec<DeadLetterLine>,
}

/// The queues.
#[must_use]
pub fn list(frame: &Frame, rows: &[QueueLine], board: Option<&str>) -> Markup {
    frame.document("Queues", &html! {
        (admin::tabs(Section::Queues, board))
        div.head { h1 { "Queues" } }
        p.muted { "Jobs of all projects. A paused queue keeps what comes and gives nothing out." }
        table.list #queues data-live="5000" {
            thead { tr {
                th scope="col" { "Queue" } th scope="col" { "Ready" } th scope="col" { "Wait" } th scope="col" { "Run" } th scope="col" { "Failing" }
                th scope="col" { "Done today" } th scope="col" { "Dead letters" } th scope="col" { span.visually-hidden { "Actions" } }
            } }
            tbody {
                @for row in rows {
                    tr {
                        td data-label="Queue" { span { a.strong href=(own(&row.name)) { (row.name) } " " (paused(row)) } }
                        td.number data-label="Ready" { (number(row.ready)) }
                        td.number data-label="Wait" { (number(row.delayed)) }
                        td.number data-label="Run" { (number(row.running)) }
                        td.number data-label="Failing" { (number(row.failing)) }
                        td.number data-label="Done today" { (number(row.done_today)) }
                        td.number data-label="Dead letters" { @if row.dead > 0 { a href=(own(&row.name)) { (number(row.dead)) } } @else { "0" } }
                        td data-label="" { (switch(frame, row, "button small")) }
                    }
                }
            }
        }
    })
}

fn own(queue: &str) -> String {
    format!("/admin/queues/{}", segment(queue))
}

fn paused(row: &QueueLine) -> Markup {
    html! { @if row.is_paused { (badge(Tone::Odd, Icon::Pause, "Paused")) } }
}

fn switch(frame: &Frame, row: &QueueLine, class: &str) -> Markup {
    let path = own(&row.name);
    if row.is_paused {
        form::action(frame, &format!("{path}/resume"), "Resume", class)
    } else {
        form::action(frame, &format!("{path}/pause"), "Pause", class)
    }
}

/// The dead letters of a queue.
#[must_use]
pub fn dead_letters(frame: &Frame, view: &DeadLetterList, board: Option<&str>) -> Markup {
    let path = own(&view.queue.name);
    let link = |offset: u64| Link::to(&path).with("offset", offset.to_string()).build();
    let shown = u64::try_from(view.rows.len()).unwrap_or(u64::MAX);
    frame.document(&view.queue.name, &html! {
        (admin::tabs(Section::Queues, board))
        p.crumbs { a href="/admin/queues" { (icon(Icon::Back)) "Queues" } }
        div.head {
            h1 { (view.queue.name) }
            (paused(&view.queue))
            (switch(frame, &view.queue, "button"))
            @if view.queue.dead > 0 {
                (form::action(frame, &format!("{path}/redrive"), "Give all another life", "button primary"))
                (form::careful_action(frame, &format!("{path}/purge"), ("Forget all", "All dead letters of this queue are gone for good, and what they were to do is not done.")))
            }
        }
        p.muted { (number(view.queue.ready)) " ready, " (number(view.queue.delayed)) " wait, " (number(view.queue.running)) " run, " (number(view.queue.dead)) " dead letters." }
        @if view.rows.is_empty() {
            (notice::empty("No dead letters", &html! { "A job that failed for good is kept here, with the reason." }))
        } @else {
            table.list {
                thead { tr { th scope="col" { "Job" } th scope="col" { "Reason" } th scope="col" { "Tries" } th scope="col" { "Enqueued" } th scope="col" { "Given up" } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Job" { a.id href={ (path) "/" (segment(&row.id)) } { (row.id) } }
                            td data-label="Reason" { (row.reason) }
                            td.number data-label="Tries" { (count(row.tries.into())) }
                            td data-label="Enqueued" { (ago(row.enqueued_at, frame.now)) }
                            td data-label="Given up" { (ago(row.died_at, frame.now)) }
                        }
                    }
                }
            }
            @if view.offset > 0 || view.offset + shown < view.queue.dead {
                nav.pager aria-label="Pages" {
                    @if view.offset > 0 { a.button rel="prev" href=(link(view.offset.saturating_sub(view.limit))) { "Newer" } }
                    @if view.offset + shown < view.queue.dead { a.button rel="next" href=(link(view.offset + view.limit)) { "Older" } }
                }
            }
        }
    })
}

/// One of them, with what it was to do.
#[must_use]
pub fn dead_letter(
    frame: &Frame,
    (queue, row, payload): (&str, &DeadLetterLine, &[u8]),
    board: Option<&str>,
) -> Markup {
    let path = format!("{}/{}", own(queue), segment(&row.id));
    frame.document("Dead letter", &html! {
        (admin::tabs(Section::Queues, board))
        p.crumbs { a href=(own(queue)) { (icon(Icon::Back)) (queue) } }
        div.head {
            h1 { "Dead letter" }
            (form::action(frame, &format!("{path}/redrive"), "Give it another life", "button primary"))
            (form::careful_action(frame, &format!("{path}/discard"), ("Forget it", "It is gone for good, and what it was to do is not done.")))
        }
        p.attempt-error { (row.reason) }
        dl.facts {
            div { dt { "Job" } dd.id { (row.id) } }
            div { dt { "Failed tries" } dd { (count(row.tries.into())) } }
            div { dt { "Enqueued" } dd { (exact(row.enqueued_at)) } }
            div { dt { "Given up" } dd { (exact(row.died_at)) } }
        }
        section.card { h2 { "What it was to do" } (code::body("What the job was to do", payload)) }
    })
}
