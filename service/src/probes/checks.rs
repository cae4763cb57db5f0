//! Readiness: whether what a role needs answers now. Checks run at the same time, each within a limit.

use std::{collections::BTreeMap, fmt, time::Duration};

use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// No check may take longer.
const LIMIT: Duration = Duration::from_secs(2);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The checks of a role, by name.
#[derive(Default)]
pub struct Checks {
    checks: Vec<(&'static str, Check)>,
    shutdown: Option<CancellationToken>,
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

/// What the checks found: as JSON `{"status": "ok", "checks": {"redis": "ok", …}}`, where a failed check has its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `ok` or `unavailable`.
    pub status: &'static str,
    /// `ok` or the reason, by name.
    pub checks: BTreeMap<&'static str, String>,
}

impl Readiness {
    /// Whether every check passed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == "ok"
    }
}

impl Checks {
    /// No checks: ready as soon as it lives.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, whose error is a reason without secrets.
    #[must_use]
    pub fn add(
        mut self,
        name: &'static str,
        check: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name, Box::new(check)));
        self
    }

    /// From this shutdown on it is not ready, whatever the checks would say: load balancers look elsewhere.
    #[must_use]
    pub fn until(mut self, shutdown: CancellationToken) -> Self {
        self.shutdown = Some(shutdown);
        self
    }

    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shutdown.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// Runs them all.
    pub async fn run(&self) -> Readiness {
        if self.is_stopping() {
            let checks = BTreeMap::from([("shutdown", "the process stops".to_string())]);
            return Readiness { status: "unavailable", checks };
        }
        let results = join_all(self.checks.iter().map(|(name, check)| async move {
            let result = tokio::time::timeout(LIMIT, check())
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())));
            (*name, result.err().unwrap_or_else(|| "ok".into()))
        }))
        .await;
        let checks: BTreeMap<_, _> = results.into_iter().collect();
        let status = if checks.values().all(|found| found == "ok") { "ok" } else { "unavailable" };
        Readiness { status, checks }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failed_check_makes_the_role_unready_and_is_named() {
        let checks = Checks::new()
            .add("redis", || async { Ok(()) }.boxed())
            .add("postgres", || async { Err("refused".to_string()) }.boxed())
            .add("broker", || std::future::pending().boxed());
        let readiness = checks.run().await;
        assert!(!readiness.is_ok());
        assert_eq!(
            serde_json::to_string(&readiness).unwrap(),
            r#"{"status":"unavailable","checks":{"broker":"no answer within 2 s","postgres":"refused","redis":"ok"}}"#
        );
        assert!(Checks::new().run().await.is_ok());
    }

    #[tokio::test]
    async fn a_process_that_stops_is_not_ready_and_asks_nobody() {
        let shutdown = CancellationToken::new();
        let checks = Checks::new().add("redis", || async { Ok(()) }.boxed()).until(shutdown.clone());
        assert!(checks.run().await.is_ok() && !checks.is_stopping());
        shutdown.cancel();
        assert!(checks.is_stopping());
        assert_eq!(
            serde_json::to_string(&checks.run().await).unwrap(),
            r#"{"status":"unavailable","checks":{"shutdown":"the process stops"}}"#
        );
    }
}
