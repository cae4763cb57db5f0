//! `posthouse export`: a project's events, deliveries and attempts as files in a folder or an object store.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{TimeDelta, Utc};
use posthouse_archive::{Export as Request, Exported, PART_BYTES, Progress, Store, export};
use posthouse_schema::{ids::ProjectId, pool, project::Project};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{
    api::window::Window,
    output::{answer, note},
    progress,
};

const EXAMPLES: &str = "Examples:
  posthouse export --project 01JD… --from 2026-11-01 --to 2026-12-01 --out /var/backups/orders-2026-11
  posthouse export --project 01JD… --since 7d --out s3://bucket/posthouse/orders
  posthouse export --project 01JD… --out az://container/orders
An export that was stopped goes on where it stood when it is asked for again with the same --out.";

/// An event may be stored so long after it was accepted, while queues are long.
const SETTLED: TimeDelta = TimeDelta::minutes(1);

/// Exports a project's events, deliveries and attempts, without secrets.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Id of the project.
    #[arg(long, value_name = "ID")]
    project: ProjectId,
    /// Where to: a folder, s3://bucket/prefix or az://container/prefix. Credentials are in the environment (AWS_…, AZURE_…).
    #[arg(long, value_name = "PLACE")]
    out: String,
    /// What: everything where nothing is given.
    #[command(flatten)]
    window: Window,
}

impl Export {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let pool = pool::build(database.database_url.expose_secret(), 1, pool::Purpose::General)?;
        let mut conn = pool.get().await.context("the database cannot be reached")?;
        let project = Project::find(&mut conn, self.project).await?.context("there is no such project")?;
        drop(conn);
        let store = Store::open(&self.out)?;
        let window = self.window.bounds(Utc::now());
        if window.is_none_or(|window| window.to > Utc::now() - SETTLED) && store.manifest().await?.is_none() {
            note("note: what was accepted in the last minute may not be stored yet, and is then not exported");
        }
        let bar = progress::percent(is_json);
        let request = Request { project: project.id, window, part_bytes: PART_BYTES };
        let mut tell = |done: Progress| {
            bar.set_position(progress::percent_of(done.fraction));
            bar.set_message(format!("{} rows, {}", done.rows, done.table));
        };
        let exported = export(&pool, &store, request, &mut tell).await?;
        bar.finish_and_clear();
        self.tell(&exported, is_json);
        Ok(ExitCode::SUCCESS)
    }

    fn tell(&self, exported: &Exported, is_json: bool) {
        let (manifest, found) = (&exported.manifest, exported.found_parts);
        let bytes: u64 = manifest.parts.iter().map(|part| part.bytes).sum();
        let totals = manifest.totals;
        let json = json!({
            "out": self.out,
            "project_id": manifest.project_id,
            "from": manifest.from,
            "to": manifest.to,
            "completed_at": manifest.completed_at,
            "totals": totals,
            "files": manifest.parts.len(),
            "files_found": found,
            "bytes": bytes,
        });
        let mut text = format!(
            "Exported {} event(s), {} delivery(ies) and {} attempt(s) to {}: {} file(s), {bytes} bytes.",
            totals.events,
            totals.event_deliveries,
            totals.delivery_attempts,
            self.out,
            manifest.parts.len(),
        );
        if found > 0 {
            text += &format!("\n{found} of the files were there already.");
        }
        answer(is_json, &json, &text);
    }
}
