//! How far long work has come, on a terminal. Nothing of it goes to standard output.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error where that is a terminal and people look at it; nothing elsewhere.
#[must_use]
pub fn bar(total: u64, is_json: bool) -> ProgressBar {
    if is_json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} {pos} of {len}  {per_sec}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// The same for work whose end is known only about, in hundredths, with a message.
#[must_use]
pub fn percent(is_json: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {pos} %  {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar(100, is_json).with_style(style)
}

/// A part of the whole, from 0 to 1, in hundredths.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100 by then")]
pub fn percent_of(fraction: f64) -> u64 {
    (fraction * 100.0).clamp(0.0, 100.0) as u64
}
