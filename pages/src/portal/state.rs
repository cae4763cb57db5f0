//! States as words with an icon and a colour, in the reader's language.

use maud::Markup;

use super::strings::Strings;
use crate::{
    badge::{Tone, badge},
    icon::Icon,
};

/// The word of a delivery's state.
#[must_use]
pub fn word<'t>(t: &'t Strings, status: &'t str) -> &'t str {
    match status {
        "Success" => &t.state_success,
        "Failure" => &t.state_failure,
        "Discarded" => &t.state_discarded,
        "Retry" => &t.state_retry,
        "Processing" => &t.state_processing,
        "Scheduled" => &t.state_scheduled,
        other => other,
    }
}

/// The state of a delivery.
#[must_use]
pub fn delivery(t: &Strings, status: &str) -> Markup {
    let (tone, picture) = match status {
        "Success" => (Tone::Good, Icon::Check),
        "Failure" => (Tone::Bad, Icon::Cross),
        "Retry" => (Tone::Odd, Icon::Retry),
        "Processing" | "Scheduled" => (Tone::Busy, Icon::Clock),
        _ => (Tone::Plain, Icon::Skip),
    };
    badge(tone, picture, word(t, status))
}

/// The state of an endpoint.
#[must_use]
pub fn endpoint(t: &Strings, status: &str) -> Markup {
    match status {
        "active" => badge(Tone::Good, Icon::Check, &t.endpoint_active),
        "paused" => badge(Tone::Odd, Icon::Pause, &t.endpoint_paused),
        "inactive" => badge(Tone::Bad, Icon::Cross, &t.endpoint_disabled),
        other => badge(Tone::Plain, Icon::Skip, other),
    }
}

/// The status of an answer, such as `200 OK`; `None`: there was none.
#[must_use]
pub fn answer(t: &Strings, status: Option<&str>, is_success: bool) -> Markup {
    match status {
        Some(status) if is_success => badge(Tone::Good, Icon::Check, status),
        Some(status) => badge(Tone::Bad, Icon::Cross, status),
        None => badge(Tone::Bad, Icon::Cross, &t.no_answer),
    }
}
