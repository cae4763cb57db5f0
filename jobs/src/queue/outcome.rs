//! What a handler's result means for its job.

use std::{error::Error, time::Duration};

use apalis_core::error::{AbortError, BoxDynError, RetryAfterError};
use chrono::{DateTime, Utc};
use rand::RngExt as _;

use super::BackendSettings;

/// Returned by a handler as its error: run me again at `due`. It costs no attempt, and forgets those that failed: the
/// handler came to a decision.
///
/// ```
/// # use apalis_core::error::BoxDynError; use posthouse_jobs::Reschedule;
/// # fn later() -> Result<(), BoxDynError> {
/// # let due = chrono::Utc::now();
/// Err(Reschedule { due }.into())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("run again at {due}")]
pub struct Reschedule {
    /// When the job may run again.
    pub due: DateTime<Utc>,
}

/// Longest reason kept with a dead letter, in characters.
const REASON_MAX: usize = 1_000;

/// What becomes of a leased job.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded.
    Done,
    /// It was not run, or was stopped: it goes back to the front.
    HandedBack,
    /// Its handler wants it at this time.
    Later(DateTime<Utc>),
    /// It failed; `after` is the handler's own wish for the wait.
    Failed { reason: String, after: Option<Duration> },
    /// It can never succeed.
    Dead(String),
}

impl Outcome {
    /// The meaning of a handler's error, which may have been wrapped on its way.
    pub(crate) fn of_error(error: &BoxDynError) -> Self {
        let mut link: Option<&(dyn Error + 'static)> = Some(error.as_ref());
        while let Some(current) = link {
            if let Some(Reschedule { due }) = current.downcast_ref() {
                return Self::Later(*due);
            }
            if current.is::<AbortError>() {
                return Self::Dead(reason(error.as_ref()));
            }
            if let Some(retry) = current.downcast_ref::<RetryAfterError>() {
                return Self::Failed { reason: reason(error.as_ref()), after: Some(retry.get_duration()) };
            }
            link = current.source();
        }
        Self::Failed { reason: reason(error.as_ref()), after: None }
    }
}

/// The error and its causes in one line, within bounds.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().take(REASON_MAX).collect()
}

/// The wait after the `failed`th failed try: doubled each time, spread over half to one and a half times that.
pub(crate) fn backoff(settings: &BackendSettings, failed: u32) -> Duration {
    let doubled = settings.backoff_min.saturating_mul(1 << failed.saturating_sub(1).min(20));
    doubled
        .min(settings.backoff_max)
        .mul_f64(rand::rng().random_range(0.5..1.5))
        .clamp(settings.backoff_min, settings.backoff_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_also_when_wrapped() {
        #[derive(Debug, thiserror::Error)]
        #[error("while recording")]
        struct Wrapped(#[source] Reschedule);
        let due = Utc::now();
        assert_eq!(Outcome::of_error(&Reschedule { due }.into()), Outcome::Later(due));
        assert_eq!(Outcome::of_error(&Wrapped(Reschedule { due }).into()), Outcome::Later(due));
        assert_eq!(
            Outcome::of_error(&AbortError::new("no such row").into()),
            Outcome::Dead("AbortError: no such row".into())
        );
        assert_eq!(Outcome::of_error(&"refused".into()), Outcome::Failed { reason: "refused".into(), after: None });
        let wait = Duration::from_secs(7);
        assert_eq!(
            Outcome::of_error(&RetryAfterError::new("busy", wait).into()),
            Outcome::Failed { reason: "RetryError: busy".into(), after: Some(wait) }
        );
    }

    #[test]
    fn a_reason_is_bounded_by_characters() {
        let long: BoxDynError = "ä".repeat(5_000).into();
        assert_eq!(reason(long.as_ref()).chars().count(), REASON_MAX);
    }

    #[test]
    fn waits_double_with_jitter_inside_their_bounds() {
        let settings = BackendSettings::default();
        for failed in 1..=40 {
            for _ in 0..50 {
                let wait = backoff(&settings, failed);
                let middle = 2_f64.powi(i32::try_from(failed).unwrap() - 1).min(60.0);
                assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_mins(1));
                assert!(wait.as_secs_f64() >= middle * 0.5 && wait.as_secs_f64() <= middle * 1.5, "{failed}: {wait:?}");
            }
        }
    }
}
