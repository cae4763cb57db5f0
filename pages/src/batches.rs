//! Retries and replays of everything that a query matched, and how far they have come.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    form,
    frame::Frame,
    icon::Icon,
    moment::{ago, count},
    notice,
    pager::Pager,
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
                                    td data-label="Batch" { span.strong { (kind(&row.kind)) } div.id { (row.id) } }
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
