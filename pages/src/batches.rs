//! Retries and replays of everything that a query matched, and how far they have come.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, count},
    notice,
    pager::Pager,
    sources::number,
};

/// A batch in the list.
#[derive(Debug, Clone)]
pub struct BatchLine {
    /// The batch.
    pub id: String,
    /// `retry`, `replay` or `dry_run`.
    pub kind: String,
    /// `pending`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Deliveries or events that were enqueued.
    pub done: i64,
    /// When what was last looked at was accepted.
    pub reached_at: Option<DateTime<Utc>>,
    /// What it was asked for, in words.
    pub asked: Vec<(String, String)>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct BatchList {
    /// Its batches.
    pub rows: Vec<BatchLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// What a replay would do, as far as it was tried.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Events that were matched.
    pub events: u64,
    /// Of these, events that nobody would get.
    pub unmatched: u64,
    /// Deliveries that would be made.
    pub deliveries: u64,
    /// The same for each endpoint, by id and name.
    pub endpoints: Vec<(String, String, u64)>,
    /// Deliveries to endpoints that are not named.
    pub others: u64,
}

/// A batch with what it is about.
#[derive(Debug, Clone)]
pub struct BatchView {
    /// As in the list.
    pub line: BatchLine,
    /// Of a replay that is only tried.
    pub report: Option<Report>,
}

/// Whether a batch goes on.
#[must_use]
pub fn is_open(status: &str) -> bool {
    matches!(status, "pending" | "processing")
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &BatchList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Batches", &html! {}) };
    let path = project.path("/batches");
    let is_live = view.rows.iter().any(|row| is_open(&row.status));
    frame.document(
        "Batches",
        &html! {
            div.head { h1 { "Batches" } }
            p.muted { "Retries and replays of everything that a query matched." }
            div #rows data-live=[is_live.then_some("2000")] {
                @if view.rows.is_empty() {
                    (notice::empty("No batches", &html! { "Filter " a href=(project.path("/deliveries")) { "deliveries" } " and retry all that match." }))
                } @else {
                    table.list {
                        thead { tr {
                            th scope="col" { "Batch" } th scope="col" { "State" } th scope="col" { "Enqueued" } th scope="col" { "Has come to" }
                            th scope="col" { "Asked for" } th scope="col" { "Begun" } th scope="col" { span.visually-hidden { "Actions" } }
                        } }
                        tbody {
                            @for row in &view.rows {
                                tr {
                                    td data-label="Batch" { a.strong href={ (path) "/" (row.id) } { (kind(&row.kind)) } div.id { (row.id) } }
                                    td data-label="State" { (state(&row.status)) }
                                    td.number data-label="Enqueued" { (count(row.done)) }
                                    td data-label="Has come to" { @match row.reached_at { Some(at) => (ago(at, frame.now)), None => span.muted { "–" } } }
                                    td data-label="Asked for" { span.small { @for (at, (key, value)) in row.asked.iter().enumerate() { @if at > 0 { ", " } (key) " " code { (value) } } } }
                                    td data-label="Begun" { (ago(row.created_at, frame.now)) }
                                    td data-label="" { @if project.is_manager && is_open(&row.status) { (form::action(frame, &format!("{path}/{}/cancel", row.id), "Call off", "button small")) } }
                                }
                            }
                        }
                    }
                    (view.pager.show())
                }
            }
        },
    )
}

/// The page of one.
#[must_use]
pub fn one(frame: &Frame, view: &BatchView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Batch", &html! {}) };
    let (list, line) = (project.path("/batches"), &view.line);
    let is_live = is_open(&line.status);
    frame.document(kind(&line.kind), &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Batches" } }
        div #batch data-live=[is_live.then_some("1500")] {
            div.head {
                h1 { (kind(&line.kind)) }
                (state(&line.status))
                @if project.is_manager && is_live { (form::action(frame, &format!("{list}/{}/cancel", line.id), "Call off", "button")) }
            }
            dl.facts {
                div { dt { @if line.kind == "dry_run" { "Events matched" } @else { "Enqueued" } } dd { (count(line.done)) } }
                div { dt { "Has come to what was accepted" } dd { @match line.reached_at { Some(at) => (ago(at, frame.now)), None => "–" } } }
                div { dt { "Asked for" } dd { (ago(line.created_at, frame.now)) } }
                div { dt { "Last went on" } dd { (ago(line.updated_at, frame.now)) } }
                @for (key, value) in &line.asked { div { dt { (key) } dd { code { (value) } } } }
                div { dt { "Id" } dd.id { (line.id) } }
            }
            @if let Some(report) = &view.report { (show(frame, report)) }
        }
    })
}

fn show(frame: &Frame, report: &Report) -> Markup {
    let endpoint = |id: &str| frame.project.as_ref().map(|project| project.path(&format!("/endpoints/{id}")));
    html! {
        section.card {
            h2 { "What a replay would do" }
            p { b { (number(report.deliveries)) } " deliveries of " (number(report.events)) " events; " (number(report.unmatched)) " events would go to nobody. Nothing was delivered." }
            @if !report.endpoints.is_empty() {
                table.list {
                    thead { tr { th scope="col" { "Endpoint" } th scope="col" { "Deliveries" } } }
                    tbody {
                        @for (id, name, deliveries) in &report.endpoints {
                            tr { td data-label="Endpoint" { a.strong href=[endpoint(id)] { (name) } } td.number data-label="Deliveries" { (number(*deliveries)) } }
                        }
                        @if report.others > 0 { tr { td data-label="Endpoint" { span.muted { "Others" } } td.number data-label="Deliveries" { (number(report.others)) } } }
                    }
                }
            }
        }
    }
}

const fn kind(word: &str) -> &str {
    match word.as_bytes() {
        b"retry" => "Retry",
        b"replay" => "Replay",
        b"dry_run" => "Replay, only tried",
        _ => word,
    }
}

fn state(word: &str) -> Markup {
    match word {
        "pending" => badge(Tone::Busy, Icon::Clock, "Waits"),
        "processing" => badge(Tone::Busy, Icon::Retry, "Under way"),
        "completed" => badge(Tone::Good, Icon::Check, "Done"),
        "failed" => badge(Tone::Bad, Icon::Cross, "Not begun"),
        "cancelled" => badge(Tone::Plain, Icon::Skip, "Called off"),
        other => badge(Tone::Plain, Icon::Skip, other),
    }
}
