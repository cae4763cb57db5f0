//! One check: its name, what it found, and what to do about it.

use serde_json::{Value, json};

use crate::output::plain;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will not always.
    Warning,
    /// Something is lost, or does not work.
    Failed,
    /// It could not be looked at.
    Skipped,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, such as `postgres-fsync`.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was found, or why nothing was.
    pub detail: String,
    /// What to do; empty where there is nothing to do.
    pub remedy: String,
}

impl Check {
    /// It is as it should be.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, detail: detail.into(), remedy: String::new() }
    }

    /// It works, and will not always.
    pub fn warning(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, detail: detail.into(), remedy: remedy.into() }
    }

    /// Something is lost, or does not work.
    pub fn failed(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Failed, detail: detail.into(), remedy: remedy.into() }
    }

    /// It could not be looked at.
    pub fn skipped(name: &'static str, reason: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skipped, detail: reason.into(), remedy: String::new() }
    }

    /// For people: one line, and another one where there is something to do.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = format!("{:<8} {:<28} {}", self.verdict.word(), self.name, plain(&self.detail));
        if !self.remedy.is_empty() {
            lines.push_str(&format!("\n{:<8} {:<28} to do: {}", "", "", plain(&self.remedy)));
        }
        lines
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let remedy = (!self.remedy.is_empty()).then_some(&self.remedy);
        json!({"name": self.name, "verdict": self.verdict.word(), "detail": self.detail, "remedy": remedy})
    }
}
