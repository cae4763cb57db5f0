//! Tells the person who watches what is done and how long it took.

use std::{
    io::{IsTerminal, Write, stdout},
    time::Instant,
};

use anyhow::Result;

/// Prints a line.
pub fn say(line: &str) {
    // Nobody is left to tell when the output is closed.
    drop(writeln!(stdout(), "{line}"));
}

/// Announces a step, does it, and says how long it took.
///
/// # Errors
/// The step's own.
pub async fn step<T>(text: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    drop(write!(stdout(), "- {text} ... ").and_then(|()| stdout().flush()));
    let start = Instant::now();
    let result = work.await;
    say(&format!("{} ({:.1} s)", if result.is_ok() { "done" } else { "failed" }, start.elapsed().as_secs_f64()));
    result
}

/// A line that is written over on a terminal, and printed only when it changes elsewhere.
#[derive(Debug, Default)]
pub struct Progress {
    last: String,
}

impl Progress {
    /// Shows the text.
    pub fn show(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        let mut out = stdout();
        let shown = if out.is_terminal() { write!(out, "\r  {text}") } else { writeln!(out, "  {text}") };
        drop(shown.and_then(|()| out.flush()));
        text.clone_into(&mut self.last);
    }

    /// Leaves the line.
    pub fn end(self) {
        if stdout().is_terminal() {
            say("");
        }
    }
}
