//! `posthouse import`: an archive back into the ledger.

use std::process::ExitCode;

use anyhow::Context as _;
use posthouse_archive::{Import as Request, Progress, Store, import, verify};
use posthouse_schema::{
    archive::Unfinished,
    ids::ProjectId,
    pool::{self, PooledConnection},
    project::Project,
    words::AuditedKind,
};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{audit_log::Deed, output::answer, progress};

const EXAMPLES: &str = "Examples:
  posthouse import /var/backups/orders-2026-11 --dry-run
  posthouse import s3://bucket/posthouse/orders
  posthouse import az://container/orders --project 01JD…
All of the archive is verified before anything is written. Rows whose ids are there are left alone.";

/// Restores what was exported.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// Where the archive is: a folder, s3://bucket/prefix or az://container/prefix.
    #[arg(value_name = "PLACE")]
    from: String,
    /// Id of the project to restore into, where it is not the one that was exported.
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Only verifies the archive, and tells what is in it.
    #[arg(long)]
    dry_run: bool,
    /// Deliveries that had not ended when they were exported are sent, also if they were sent since. Without this they are
    /// discarded, and can be retried by hand.
    #[arg(long)]
    deliver_unfinished: bool,
}

impl Import {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let store = Store::open(&self.from)?;
        let bar = progress::percent(is_json);
        let mut tell = |done: Progress| {
            bar.set_position(progress::percent_of(done.fraction));
            bar.set_message(format!("{} rows, {}", done.rows, done.table));
        };
        if self.dry_run {
            let manifest = verify(&store, &mut tell).await?;
            bar.finish_and_clear();
            let totals = manifest.totals;
            let json = json!({
                "from": self.from,
                "project_id": self.project.unwrap_or(manifest.project_id),
                "window": {"from": manifest.from, "to": manifest.to},
                "totals": totals,
                "files": manifest.parts.len(),
            });
            let text = format!(
                "The archive is sound: {} event(s), {} delivery(ies) and {} attempt(s), from {} to {}. Nothing was written.",
                totals.events, totals.event_deliveries, totals.delivery_attempts, manifest.from, manifest.to
            );
            answer(is_json, &json, &text);
            return Ok(ExitCode::SUCCESS);
        }
        let pool = pool::build(database.database_url.expose_secret(), 1, pool::Purpose::General)?;
        let deed = self.begin(&store, &mut pool.get().await.context("the database cannot be reached")?).await?;
        let unfinished = if self.deliver_unfinished { Unfinished::Deliver } else { Unfinished::Discard };
        let imported = import(&pool, &store, Request { project: self.project, unfinished }, &mut tell).await?;
        bar.finish_and_clear();
        if let Some(deed) = deed {
            let mut conn = pool.get().await.context("the database cannot be reached")?;
            deed.changing("rows", 0, imported.written.rows()).confirm(&mut conn).await?;
        }
        let (written, totals) = (imported.written, imported.manifest.totals);
        let json = json!({
            "from": self.from,
            "project_id": imported.project,
            "totals": totals,
            "written": written,
            "partitions_made_for": imported.days,
        });
        let text = format!(
            "Restored {} event(s), {} delivery(ies) and {} attempt(s); {} row(s) were there already.",
            written.events,
            written.event_deliveries,
            written.delivery_attempts,
            totals.rows() - written.rows()
        );
        answer(is_json, &json, &text);
        Ok(ExitCode::SUCCESS)
    }

    /// Notes in the audit log that it begins; `None` where there is nothing to import or nowhere to, as the import itself says.
    async fn begin(&self, store: &Store, conn: &mut PooledConnection) -> anyhow::Result<Option<Deed>> {
        let Some(manifest) = store.manifest().await? else { return Ok(None) };
        let into = self.project.unwrap_or(manifest.project_id);
        let Some(project) = Project::find(conn, into).await? else { return Ok(None) };
        let deed = Deed::new("project.import", AuditedKind::Project, Some(project.id.to_bits()));
        let deed = deed.of(Some(project.organisation_id), Some(project.id)).changing("from", Value::Null, &self.from);
        Ok(Some(deed.begin(conn).await?))
    }
}
