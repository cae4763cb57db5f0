//! One source: how it is doing, and where to send to.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    code,
    connection_test::{self, ConnectionTest},
    form,
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    moment::{ago, exact},
    notice,
    sources::{SourceHealth, number, state},
};

/// A source.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// The source.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `http`, `pub_sub` and so on.
    pub kind: String,
    /// The provider; empty for none.
    pub provider: String,
    /// How requests prove themselves, in a word.
    pub verifier: String,
    /// Where to send to, for a source of HTTP.
    pub url: Option<String>,
    /// Whether it takes nothing in.
    pub is_disabled: bool,
    /// How it is doing, for a source of a broker; `None` where it is not known, or is none.
    pub health: Option<SourceHealth>,
    /// What else it is set to, by what it is called.
    pub settings: Vec<(String, String)>,
    /// Whether there is a form that changes it.
    pub is_editable: bool,
    /// What a test of its broker came to.
    pub test: Option<ConnectionTest>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &SourceView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Source", &html! {}) };
    let path = project.path(&format!("/sources/{}", view.id));
    let of_source = |page: &str| Link::to(project.path(page)).with("sourceId", &view.id).build();
    frame.document(&view.name, &html! {
        p.crumbs { a href=(project.path("/sources")) { (icon(Icon::Back)) "Sources" } }
        div.head {
            h1 { (view.name) }
            (state(view.is_disabled, view.health.as_ref()))
            a.button href=(of_source("/events")) { "Its events" }
            @if view.health.is_some() { a.button href=(of_source("/rejected")) { "Refused messages" } }
            @if project.is_manager {
                @if view.is_editable { a.button href={ (path) "/edit" } { "Edit" } }
                @if view.url.is_none() && view.is_editable { (form::action(frame, &format!("{path}/test"), "Test the connection", "button")) }
                @if view.is_disabled { (form::action(frame, &format!("{path}/resume"), "Resume", "button primary")) } @else { (form::action(frame, &format!("{path}/pause"), "Pause", "button")) }
            }
        }
        @if view.is_disabled { (notice::warning(&html! { "It takes nothing in. " @if view.url.is_some() { "Requests are refused, and most providers try again for a while." } @else { "What its broker keeps for it is read when it is resumed." } })) }
        @if let Some(test) = &view.test { (connection_test::show(test)) }
        div #health data-live=[view.health.as_ref().filter(|_| view.test.is_none()).map(|_| "3000")] {
            @if let Some(health) = &view.health {
                @if let Some((since, reason)) = &health.failing {
                    (notice::warning(&html! { "It is failing since " (exact(*since)) ": " (reason) "." }))
                }
                div.figures {
                    (figure("Received", &number(health.received)))
                    (figure("Became events", &number(health.accepted)))
                    (figure("Refused", &number(health.rejected)))
                    div.figure { span.figure-label { "Last message" } span.figure-value { @match health.last_message_at { Some(at) => (ago(at, frame.now)), None => "–" } } }
                }
                @if let Some((error, at)) = &health.last_error {
                    section.card { h2 { "Last error" } p.attempt-error { (error) } p.small.muted { (ago(*at, frame.now)) } }
                }
            }
        }
        section.card {
            h2 { "Set up" }
            @if let Some(url) = &view.url { (code::block("URL of the source", url)) }
            dl.facts.stacked {
                div { dt { "Kind" } dd { (view.kind) } }
                @if !view.provider.is_empty() { div { dt { "Provider" } dd { (view.provider) } } }
                div { dt { "Proof" } dd { (view.verifier) } }
                @for (label, value) in &view.settings { div { dt { (label) } dd.id { (value) } } }
                div { dt { "Made" } dd { (exact(view.created_at)) } }
                div { dt { "Id" } dd.id { (view.id) } }
            }
        }
        @if project.is_manager {
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{path}/delete"), ("Delete the source", "Nothing comes in by it any more, and its subscriptions end. Events that came in stay.")))
            }
        }
    })
}

fn figure(label: &str, value: &str) -> Markup {
    html! { div.figure { span.figure-label { (label) } span.figure-value { (value) } } }
}
