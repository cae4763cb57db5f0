//! States as words with an icon and a colour: none of them says it alone.

use maud::{Markup, html};

use crate::icon::{Icon, icon};

/// How a state is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Needs somebody.
    Bad,
    /// Needs a look.
    Odd,
    /// Under way.
    Busy,
    /// Says nothing.
    Plain,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "badge good",
            Self::Bad => "badge bad",
            Self::Odd => "badge odd",
            Self::Busy => "badge busy",
            Self::Plain => "badge",
        }
    }
}

/// A word with an icon.
#[must_use]
pub fn badge(tone: Tone, picture: Icon, word: &str) -> Markup {
    html! { span class=(tone.class()) { (icon(picture)) (word) } }
}

/// The state of a delivery, by its word.
#[must_use]
pub fn delivery(status: &str) -> Markup {
    match status {
        "Success" => badge(Tone::Good, Icon::Check, "Success"),
        "Failure" => badge(Tone::Bad, Icon::Cross, "Failure"),
        "Discarded" => badge(Tone::Plain, Icon::Skip, "Discarded"),
        "Retry" => badge(Tone::Odd, Icon::Retry, "Retry"),
        "Processing" => badge(Tone::Busy, Icon::Clock, "Processing"),
        "Scheduled" => badge(Tone::Busy, Icon::Clock, "Scheduled"),
        other => badge(Tone::Plain, Icon::Skip, other),
    }
}

/// The state of an event, by its word.
#[must_use]
pub fn event(status: &str, is_duplicate: bool) -> Markup {
    match status {
        _ if is_duplicate => badge(Tone::Plain, Icon::Skip, "Duplicate"),
        "Success" => badge(Tone::Good, Icon::Check, "Matched"),
        "Failure" => badge(Tone::Odd, Icon::Warning, "Unmatched"),
        "Retry" => badge(Tone::Odd, Icon::Retry, "Retry"),
        other => badge(Tone::Busy, Icon::Clock, other),
    }
}

/// The state of an endpoint, by its word.
#[must_use]
pub fn endpoint(status: &str) -> Markup {
    match status {
        "active" => badge(Tone::Good, Icon::Check, "Active"),
        "paused" => badge(Tone::Odd, Icon::Pause, "Paused"),
        "inactive" => badge(Tone::Bad, Icon::Cross, "Disabled"),
        other => badge(Tone::Plain, Icon::Skip, other),
    }
}

/// The state of an endpoint's breaker, by its word; `None` while it is not known.
#[must_use]
pub fn breaker(state: Option<&str>) -> Markup {
    match state {
        Some("closed") => badge(Tone::Good, Icon::Check, "Closed"),
        Some("half-open" | "half_open") => badge(Tone::Odd, Icon::Retry, "Half-open"),
        Some("open") => badge(Tone::Bad, Icon::Warning, "Open"),
        Some(other) => badge(Tone::Plain, Icon::Skip, other),
        None => badge(Tone::Plain, Icon::Skip, "Unknown"),
    }
}

/// A status code of HTTP; `None`: there was no answer.
#[must_use]
pub fn status_code(code: Option<i32>) -> Markup {
    match code {
        Some(code @ 200..=299) => badge(Tone::Good, Icon::Check, &code.to_string()),
        Some(code @ 300..=399) => badge(Tone::Odd, Icon::Warning, &code.to_string()),
        Some(code) => badge(Tone::Bad, Icon::Cross, &code.to_string()),
        None => badge(Tone::Bad, Icon::Cross, "No answer"),
    }
}
