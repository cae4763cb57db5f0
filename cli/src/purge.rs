//! `posthouse purge --dry-run`: what has expired, counted in the database for as long as it takes.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::Utc;
use posthouse_schema::retention::{self, Horizon, InstanceRetention};
use posthouse_service::settings::DatabaseSettings;
use serde_json::{Value, json};

use crate::output::{answer, connect, table};

const EXAMPLES: &str = "Examples:
  posthouse purge --dry-run
  posthouse purge --dry-run --json
  posthouse schedule run purge_expired --wait     # purges, by the scheduler's settings";

/// Shows what a purge would take, of each project and table. Changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Purge {
    /// Required: the purge itself is a schedule, and `posthouse schedule run purge_expired` runs it now.
    #[arg(long, required = true)]
    dry_run: bool,
}

impl Purge {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(self.dry_run, "only --dry-run is done here");
        let (mut conn, now) = (connect(database).await?, Utc::now());
        let announced = InstanceRetention::announced(&mut conn).await?;
        let instance = announced.context("no scheduler has said yet how long anything is kept")?.horizon(now);
        let projects = retention::horizons_all_projects(&mut conn, &instance, now).await?;
        let (expired, partitions) = retention::preview_all_projects(&mut conn, &instance, &projects, false).await?;
        let partitions: Vec<String> = partitions.iter().map(ToString::to_string).collect();
        let json = json!({
            "kept_since": horizon(&instance),
            "projects": projects.iter().map(|(project, own)| json!({"project_id": project, "kept_since": horizon(own)})).collect::<Vec<_>>(),
            "expired": expired.iter().map(|row| json!({"project_id": row.project_id, "table": row.purged, "rows": row.rows})).collect::<Vec<_>>(),
            "partitions": partitions,
        });
        let rows: Vec<_> =
            expired.into_iter().map(|row| [row.project_id.to_string(), row.purged, row.rows.to_string()]).collect();
        let days = if partitions.is_empty() { "none".into() } else { partitions.join(", ") };
        let text = format!("{}\npartitions: {days}", table(["project", "table", "rows"], &rows, "nothing has expired"));
        answer(is_json, &json, &text);
        Ok(ExitCode::SUCCESS)
    }
}

fn horizon(horizon: &Horizon) -> Value {
    json!({
        "events": horizon.events,
        "event_deliveries": horizon.deliveries,
        "delivery_attempts": horizon.attempts,
        "payloads": horizon.payloads,
    })
}
