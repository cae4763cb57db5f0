//! The periodic jobs, for those who run the instance: when each runs and what came of it.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    admin::{self, Section},
    badge::{Tone, badge},
    code, form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact, milliseconds},
    notice,
};

/// A run of a schedule.
#[derive(Debug, Clone)]
pub struct RunLine {
    /// When it was due, or asked for.
    pub tick_at: DateTime<Utc>,
    /// `waiting`, `queued`, `running`, `succeeded` or `failed`.
    pub status: String,
    /// Who asked for it; empty where it was due.
    pub requested_by: String,
    /// The worker that ran it; empty before it began.
    pub worker: String,
    /// How often it was begun.
    pub tries: i32,
    /// How long the last try took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// What it did, as JSON, or why it failed; empty for neither.
    pub result: String,
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct ScheduleLine {
    /// Its name.
    pub name: String,
    /// When it runs, in UTC.
    pub cron: String,
    /// When it runs next; `None` while it is paused.
    pub next: Option<DateTime<Utc>>,
    /// Since when it is paused, and who did it.
    pub paused: Option<(DateTime<Utc>, String)>,
    /// Its last run that has begun.
    pub last: Option<RunLine>,
}

/// A schedule with its last runs.
#[derive(Debug, Clone)]
pub struct ScheduleView {
    /// As in the list.
    pub line: ScheduleLine,
    /// What its runs are told, as JSON.
    pub settings: String,
    /// How many missed runs are made up for.
    pub catch_up_max: i32,
    /// By how many seconds a run may be late on purpose.
    pub jitter_seconds: i32,
    /// The scheduler that was active last.
    pub scheduler: String,
    /// Its last runs, the newest first.
    pub runs: Vec<RunLine>,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, rows: &[ScheduleLine], board: Option<&str>) -> Markup {
    frame.document("Schedules", &html! {
        (admin::tabs(Section::Schedules, board))
        div.head { h1 { "Schedules" } }
        p.muted { "What the instance does by the clock, in UTC." }
        div #schedules data-live="5000" {
            @if rows.is_empty() {
                (notice::empty("No schedules", &html! { "The active scheduler announces them. None has been active yet." }))
            } @else {
                table.list {
                    thead { tr { th scope="col" { "Schedule" } th scope="col" { "Last run" } th scope="col" { "Result" } th scope="col" { "Next run" } th scope="col" { span.visually-hidden { "Actions" } } } }
                    tbody {
                        @for row in rows {
                            tr {
                                td data-label="Schedule" { a.strong href={ "/admin/schedules/" (row.name) } { (row.name) } div.id { (row.cron) } }
                                td data-label="Last run" { @match &row.last { Some(run) => span { (ago(run.tick_at, frame.now)) @if let Some(ms) = run.duration_ms { div.small.muted { "took " (milliseconds(ms)) } } }, None => span.muted { "Never" } } }
                                td data-label="Result" { @match &row.last { Some(run) => (state(&run.status)), None => span.muted { "–" } } }
                                td data-label="Next run" { (next(frame, row)) }
                                td data-label="" { (actions(frame, row, "button small")) }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn next(frame: &Frame, row: &ScheduleLine) -> Markup {
    match (&row.paused, row.next) {
        (Some((since, by)), _) => {
            html! { span { (badge(Tone::Odd, Icon::Pause, "Paused")) div.small.muted { (ago(*since, frame.now)) @if !by.is_empty() { " by " (by) } } } }
        }
        (None, Some(at)) => ago(at, frame.now),
        (None, None) => html! { span.muted { "–" } },
    }
}

fn actions(frame: &Frame, row: &ScheduleLine, class: &str) -> Markup {
    let path = format!("/admin/schedules/{}", row.name);
    html! {
        span.row {
            (form::action(frame, &format!("{path}/run"), "Run now", class))
            @if row.paused.is_some() { (form::action(frame, &format!("{path}/resume"), "Resume", class)) }
            @else { (form::action(frame, &format!("{path}/pause"), "Pause", class)) }
        }
    }
}

/// The page of one.
#[must_use]
pub fn one(frame: &Frame, view: &ScheduleView, board: Option<&str>) -> Markup {
    let line = &view.line;
    frame.document(&line.name, &html! {
        (admin::tabs(Section::Schedules, board))
        p.crumbs { a href="/admin/schedules" { (icon(Icon::Back)) "Schedules" } }
        div.head { h1 { (line.name) } (actions(frame, line, "button")) }
        dl.facts {
            div { dt { "Runs at (UTC)" } dd.id { (line.cron) } }
            div { dt { "Next run" } dd { (next(frame, line)) } }
            div { dt { "Missed runs made up for" } dd { (view.catch_up_max) } }
            div { dt { "Late on purpose by up to" } dd { (view.jitter_seconds) " s" } }
            div { dt { "Scheduler" } dd.id { (view.scheduler) } }
        }
        section.card { h2 { "What its runs are told" } (code::body("What its runs are told", view.settings.as_bytes())) }
        section.card #runs data-live="3000" {
            h2 { "Last runs" }
            @if view.runs.is_empty() { p.muted { "None yet." } } @else {
                table.list {
                    thead { tr { th scope="col" { "Due" } th scope="col" { "State" } th scope="col" { "Took" } th scope="col" { "Worker" } th scope="col" { "What came of it" } } }
                    tbody {
                        @for run in &view.runs {
                            tr {
                                td data-label="Due" { span { (exact(run.tick_at)) @if !run.requested_by.is_empty() { div.small.muted { "asked for by " (run.requested_by) } } } }
                                td data-label="State" { (state(&run.status)) @if run.tries > 1 { div.small.muted { (run.tries) " tries" } } }
                                td.number data-label="Took" { @match run.duration_ms { Some(ms) => (milliseconds(ms)), None => span.muted { "–" } } }
                                td data-label="Worker" { span.id { (run.worker) } }
                                td data-label="What came of it" { span.id { (run.result) } }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn state(word: &str) -> Markup {
    match word {
        "waiting" => badge(Tone::Busy, Icon::Clock, "Waits for a scheduler"),
        "queued" => badge(Tone::Busy, Icon::Clock, "Queued"),
        "running" => badge(Tone::Busy, Icon::Retry, "Running"),
        "succeeded" => badge(Tone::Good, Icon::Check, "Succeeded"),
        "failed" => badge(Tone::Bad, Icon::Cross, "Failed"),
        other => badge(Tone::Plain, Icon::Skip, other),
    }
}
