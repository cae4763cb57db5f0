//! The start of a process: a dependency that is not there yet gets a few seconds, and then a clear end.

use std::{fmt::Display, future::Future, time::Duration};

use tokio::time::Instant;

/// How long a dependency may take to answer at start.
pub const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be reached within {} s: {last}", PATIENCE.as_secs())]
pub struct Unreachable {
    name: &'static str,
    last: String,
}

/// Tries until it succeeds, for [`PATIENCE`] at most.
///
/// # Errors
/// [`Unreachable`], with the last failure.
pub async fn retry<T, E, F>(name: &'static str, attempt: impl Fn() -> F) -> Result<T, Unreachable>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + PATIENCE;
    let mut last = String::from("no answer");
    loop {
        match tokio::time::timeout_at(end, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => return Err(Unreachable { name, last }),
        }
        if Instant::now() + PAUSE >= end {
            return Err(Unreachable { name, last });
        }
        tracing::warn!(dependency = name, error = last, "A dependency is not there yet.");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_is_waited_for_and_what_never_comes_is_named() {
        let tries = AtomicU32::new(0);
        let late =
            retry("redis", || async { if tries.fetch_add(1, Ordering::Relaxed) < 3 { Err("refused") } else { Ok(7) } })
                .await;
        assert_eq!(late.unwrap(), 7);
        let never = retry("postgres", || async { Err::<(), _>("refused") }).await.unwrap_err();
        assert_eq!(never.to_string(), "postgres cannot be reached within 10 s: refused");
        let hangs = retry("postgres", std::future::pending::<Result<(), String>>).await;
        assert!(hangs.is_err());
    }
}
