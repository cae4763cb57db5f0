//! `posthouse migrate`: the only way in which the schema changes.

use std::process::ExitCode;

use chrono::Utc;
use posthouse_schema::{migrations, partitions, pool, words::AuditedKind};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{audit_log::Deed, exit::NOT_ALL, output::answer};

const EXAMPLES: &str = "Examples:
  posthouse migrate
  posthouse migrate --status --json";

/// Applies the pending migrations and makes the coming days' partitions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Migrate {
    /// Only lists what is pending, and exits with 3 if anything is.
    #[arg(long)]
    status: bool,
}

impl Migrate {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let url = database.database_url.expose_secret();
        if self.status {
            let pending = migrations::pending(url).await?;
            let text = if pending.is_empty() {
                "No migration is pending.".into()
            } else {
                format!("Pending:\n  {}", pending.join("\n  "))
            };
            answer(is_json, &json!({"pending": pending}), &text);
            return Ok(if pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) });
        }
        let applied = migrations::run(url).await?;
        let mut conn = pool::build(url, 1, pool::Purpose::General)?.get().await?;
        if !applied.is_empty() {
            let deed = Deed::new("instance.migrate", AuditedKind::Instance, None);
            deed.changing("migrations", Value::Null, &applied).note(&mut conn).await?;
        }
        let today = Utc::now().date_naive();
        // Yesterday too: an event accepted just before midnight may be written after it.
        let made = partitions::make_ahead(&mut conn, today.pred_opt().unwrap_or(today), today).await?;
        let text = format!("{} migration(s) applied, {} partition(s) made.", applied.len(), made.len());
        answer(
            is_json,
            &json!({"applied": applied, "partitions": made.iter().map(ToString::to_string).collect::<Vec<_>>()}),
            &text,
        );
        Ok(ExitCode::SUCCESS)
    }
}
