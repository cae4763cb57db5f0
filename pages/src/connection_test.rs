//! Whether a source's broker can be read, as an instance of ingest found it.

use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    icon::Icon,
};

/// What a test came to.
#[derive(Debug, Clone, Default)]
pub struct ConnectionTest {
    /// The step that failed, in the word of the API; `None`: none did.
    pub failed_step: Option<String>,
    /// Why it failed.
    pub reason: String,
    /// What there is to know although it works.
    pub notes: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// What failed, in words.
fn step(word: &str) -> &str {
    match word {
        "settings" => "A setting is not right",
        "resolve" => "The broker's name was not found",
        "connect" => "No connection to the broker",
        "encrypt" => "The connection could not be encrypted",
        "sign_in" => "The broker refused to sign us in",
        "open" => "What is to be read could not be opened",
        "ingest" => "No instance of ingest answered",
        other => other,
    }
}

/// The answer.
#[must_use]
pub fn show(test: &ConnectionTest) -> Markup {
    html! {
        section.card #connection-test {
            div.head {
                h2 { "Connection test" }
                @match &test.failed_step {
                    None => (badge(Tone::Good, Icon::Check, "The broker can be read")),
                    Some(word) => (badge(Tone::Bad, Icon::Cross, step(word))),
                }
            }
            @if !test.reason.is_empty() { p.attempt-error role="alert" { (test.reason) } }
            @if !test.notes.is_empty() { ul.lines { @for note in &test.notes { li { (note) } } } }
            p.small.muted { "It took " (test.duration_ms) " ms. No message was taken." }
        }
    }
}
