//! `posthouse doctor`: whether a deployment is set up so that it keeps what it promises. Nothing is changed.

mod api;
mod check;
mod clock;
mod disk;
mod egress;
mod encryption;
mod postgres;
mod redis;
mod secrets;
mod signature;

use std::process::ExitCode;

use serde_json::json;

use self::check::{Check, Verdict};
use crate::{api::Access, output::answer, services::Services};

const EXAMPLES: &str = "Examples:
  posthouse --config /etc/posthouse.toml doctor
  posthouse doctor --database-url postgres://… --redis-url redis://… --egress-url http://egress:4750
  posthouse doctor --url https://hooks.example.com --json | jq '.checks[] | select(.verdict == \"failed\")'";

/// Checks a deployment, and says what is wrong and what to do.
///
/// Looks at PostgreSQL, Redis, egress, the API and signatures, as far as they are named. The exit code is 1 if a check
/// failed; a warning fails with --strict only.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    #[command(flatten)]
    access: Access,
    /// Takes warnings for failures.
    #[arg(long)]
    strict: bool,
}

impl Doctor {
    /// Runs the command.
    pub async fn run(&self, services: &Services, is_json: bool) -> anyhow::Result<ExitCode> {
        let database = services.known_database();
        let redis = services.known_redis();
        let proxies = services.egress();
        let (postgres, redis, egress, api, deliveries) = tokio::join!(
            Box::pin(postgres::checks(database.as_ref())),
            Box::pin(redis::checks(redis.as_ref())),
            Box::pin(egress::checks(&proxies)),
            Box::pin(api::checks(&self.access)),
            Box::pin(signature::of_delivery(&self.access)),
        );
        let mut checks: Vec<Check> = [postgres, redis, egress, api].into_iter().flatten().collect();
        checks.extend([signature::published(), deliveries]);
        let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (failed, warnings, skipped) = (count(Verdict::Failed), count(Verdict::Warning), count(Verdict::Skipped));
        let is_well = failed == 0 && !(self.strict && warnings > 0);
        let lines = checks.iter().map(Check::lines).collect::<Vec<_>>().join("\n");
        let sum = format!("{} checks: {failed} failed, {warnings} warnings, {skipped} skipped.", checks.len());
        let json = json!({
            "is_well": is_well, "failed": failed, "warnings": warnings, "skipped": skipped,
            "checks": checks.iter().map(Check::json).collect::<Vec<_>>(),
        });
        answer(is_json, &json, &format!("{lines}\n{sum}"));
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
