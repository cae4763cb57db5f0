//! `posthouse audit`: whether the ledger adds up.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context as _;
use posthouse_schema::{audit, pool};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::output::answer;

/// Runs the command.
pub async fn run(database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
    let mut conn = pool::build(database.database_url.expose_secret(), 1, pool::Purpose::General)?
        .get()
        .await
        .context("the database cannot be reached")?;
    let audit = audit::audit_all_projects(&mut conn).await?;
    let json = json!({
        "adds_up": audit.adds_up(),
        "accepted": audit.accepted(),
        "events": audit.events,
        "deliveries": audit.deliveries,
        "overdue": audit.overdue,
        "attempts": audit.attempts,
    });
    let text = format!(
        "accepted {} event(s): {}\ndeliveries: {}\n{} attempt(s), {} overdue\n{}",
        audit.accepted(),
        list(&audit.events),
        list(&audit.deliveries),
        audit.attempts,
        audit.overdue,
        if audit.adds_up() { "The ledger adds up." } else { "The ledger does NOT add up." }
    );
    answer(is_json, &json, &text);
    Ok(if audit.adds_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(sums: &BTreeMap<String, i64>) -> String {
    if sums.is_empty() {
        return "none".into();
    }
    sums.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}
