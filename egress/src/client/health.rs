//! Whether a proxy takes requests, asked of it again and again. One that does not answer twice is taken out, and comes back
//! with its first answer.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::{READY_PATH, exit::Exit};

/// Longest wait for an answer, unless proxies are asked less often.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// One lost answer is no outage.
const FAILURES_MAX: u32 = 2;

/// Asks for as long as somebody has the proxy.
pub(super) async fn watch(exit: Weak<Exit>, interval: Duration) {
    let mut failures = 0;
    loop {
        tokio::time::sleep(interval).await;
        let Some(exit) = exit.upgrade() else { return };
        failures = look(&exit, failures, interval).await;
    }
}

/// Asks once, after so many failures in a row; how many there are then.
async fn look(exit: &Arc<Exit>, failures: u32, interval: Duration) -> u32 {
    match exit.status_of(READY_PATH, interval.max(ANSWER_LIMIT)).await {
        // An older one answers something else, and lives.
        Ok(status) if status != 503 => {
            exit.recover();
            0
        }
        outcome => {
            let failures = failures.saturating_add(1);
            let error = outcome.err().unwrap_or(super::ExitError::Answered { status: 503, code: None });
            if failures >= FAILURES_MAX {
                exit.fail(&error)
            } else {
                exit.count_failure()
            }
            failures
        }
    }
}
