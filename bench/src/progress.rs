//! One line on standard error that says how far it has come: rewritten in place on a terminal, every few seconds elsewhere.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Progress of one case.
pub struct Progress {
    name: Option<String>,
    total: u64,
    told: Mutex<Option<Instant>>,
    is_terminal: bool,
}

impl Progress {
    /// Towards `total`.
    pub fn new(name: &str, total: u64) -> Self {
        Self { name: Some(name.into()), total, told: Mutex::default(), is_terminal: stderr().is_terminal() }
    }

    /// Says nothing.
    pub fn none() -> Self {
        Self { name: None, total: 0, told: Mutex::default(), is_terminal: false }
    }

    /// So many are `what`.
    pub fn note(&self, what: &str, count: u64) {
        let Some(name) = &self.name else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = Duration::from_millis(if self.is_terminal { 100 } else { 5_000 });
        if told.is_some_and(|told| told.elapsed() < pause) {
            return;
        }
        *told = Some(Instant::now());
        let (before, after) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        // What cannot be told is not needed.
        drop(write!(stderr(), "{before}{name}: {count} of {} {what}{after}", self.total));
    }

    /// Clears the line.
    pub fn end(&self) {
        if self.is_terminal && self.name.is_some() {
            drop(write!(stderr(), "\r\x1b[K"));
        }
    }
}
