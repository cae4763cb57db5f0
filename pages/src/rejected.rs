//! Messages of brokers that could not become events: the dead letters of sources.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    code, form,
    frame::Frame,
    icon::{Icon, icon},
    moment::{ago, exact},
    notice,
    pager::Pager,
};

/// A message in the list.
#[derive(Debug, Clone)]
pub struct RejectedLine {
    /// The message.
    pub id: String,
    /// The name of its source.
    pub source: String,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence.
    pub detail: String,
    /// Bytes that it had.
    pub bytes: i64,
    /// Whether it waits to be read again.
    pub is_waiting: bool,
    /// When it was refused.
    pub at: DateTime<Utc>,
}

/// The whole list.
#[derive(Debug, Clone, Default)]
pub struct RejectedList {
    /// Its messages.
    pub rows: Vec<RejectedLine>,
    /// The pages around it.
    pub pager: Pager,
}

/// A message.
#[derive(Debug, Clone)]
pub struct RejectedView {
    /// As in the list.
    pub line: RejectedLine,
    /// Whether all of it is kept, so that it can be read again.
    pub is_whole: bool,
    /// How often it was read again in vain.
    pub redrives: i32,
    /// What its broker said of it, as JSON.
    pub metadata: String,
    /// The message, or its beginning.
    pub payload: Vec<u8>,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, view: &RejectedList) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Refused messages", &html! {}) };
    let path = project.path("/rejected");
    frame.document("Refused messages", &html! {
        p.crumbs { a href=(project.path("/sources")) { (icon(Icon::Back)) "Sources" } }
        div.head {
            h1 { "Refused messages" }
            @if project.is_manager && !view.rows.is_empty() {
                form.inline method="post" action={ (path) "/redrive" } {
                    (form::token(frame))
                    @for (key, value) in &view.pager.query { input type="hidden" name=(key) value=(value); }
                    button.button type="submit" { "Read all again" }
                }
            }
        }
        p.muted { "Messages of brokers that could not become events as they are, of the last seven days. When the source or its function is put right, they can be read again." }
        @if view.rows.is_empty() {
            (notice::empty("None", &html! { "Every message became an event." }))
        } @else {
            table.list {
                thead { tr { th scope="col" { "Message" } th scope="col" { "Source" } th scope="col" { "Reason" } th scope="col" { "Bytes" } th scope="col" { "Refused" } } }
                tbody {
                    @for row in &view.rows {
                        tr {
                            td data-label="Message" { a.strong href={ (path) "/" (row.id) } { (row.detail) } div.id { (row.id) } }
                            td data-label="Source" { (row.source) }
                            td data-label="Reason" { span { (badge(Tone::Odd, Icon::Warning, &row.reason)) @if row.is_waiting { " " (badge(Tone::Busy, Icon::Clock, "Waits")) } } }
                            td.number data-label="Bytes" { (row.bytes) }
                            td data-label="Refused" { (ago(row.at, frame.now)) }
                        }
                    }
                }
            }
            (view.pager.show())
        }
    })
}

/// One of them.
#[must_use]
pub fn one(frame: &Frame, view: &RejectedView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Refused message", &html! {}) };
    let (list, line) = (project.path("/rejected"), &view.line);
    let path = format!("{list}/{}", line.id);
    frame.document("Refused message", &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Refused messages" } }
        div.head {
            h1 { "Refused message" }
            (badge(Tone::Odd, Icon::Warning, &line.reason))
            @if line.is_waiting { (badge(Tone::Busy, Icon::Clock, "Waits to be read again")) }
            @if project.is_manager && view.is_whole && !line.is_waiting { (form::action(frame, &format!("{path}/redrive"), "Read it again", "button primary")) }
            @if project.is_manager { (form::action(frame, &format!("{path}/delete"), "Delete", "button danger")) }
        }
        p { (line.detail) }
        dl.facts {
            div { dt { "Source" } dd { (line.source) } }
            div { dt { "Refused" } dd { (exact(line.at)) } }
            div { dt { "Read again in vain" } dd { (view.redrives) } }
            div { dt { "Bytes" } dd { (line.bytes) @if !view.is_whole { ", of which the beginning is kept" } } }
            div { dt { "Id" } dd.id { (line.id) } }
        }
        section.card { h2 { "Message" } (code::body("The message", &view.payload)) }
        section.card { h2 { "What its broker said" } (code::body("What its broker said", view.metadata.as_bytes())) }
    })
}
