//! `posthouse rotate-key`: every stored secret under the current key, while the roles run.

use std::{collections::BTreeMap, process::ExitCode};

use posthouse_schema::{
    pool::PooledConnection,
    sealed::{self, Count, Keys, Progress, Rotation},
    words::AuditedKind,
};
use posthouse_service::settings::DatabaseSettings;
use serde_json::{Value, json};

use crate::{
    audit_log::Deed,
    exit::NOT_ALL,
    output::{answer, connect, plain},
    progress,
};

const EXAMPLES: &str = "Examples:
  POSTHOUSE_SECRETS_KEY=\"$NEW,$OLD\" posthouse rotate-key
  posthouse rotate-key --secrets-key-file /etc/posthouse/keys --dry-run
  posthouse rotate-key --json | jq .left

With the word `none` before the keys every secret is stored in the clear again, as before an upgrade is undone.";

/// Somebody may change a secret while it is sealed; it is looked at again.
const PASSES_MAX: usize = 5;

/// Seals every stored secret by the current key: those in the clear, and those of older keys.
///
/// Roles may run meanwhile if they know all the keys. It can be stopped at any time and run again. The exit code is 3 if
/// some are left under another key.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateKey {
    /// Says what would be done, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Secrets that are sealed at a time.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    batch: u32,
}

impl RotateKey {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let keys = sealed::keys();
        if keys.ids().is_empty() {
            anyhow::bail!("no key is given: set POSTHOUSE_SECRETS_KEY or POSTHOUSE_SECRETS_KEY_FILE");
        }
        let mut conn = connect(database).await?;
        let before = sums(&sealed::survey(&mut conn).await?);
        let due: u64 = before.iter().filter(|(key, _)| !is_current(keys, key.as_deref())).map(|(_, count)| count).sum();
        let done = if self.dry_run { Progress::default() } else { self.seal(&mut conn, keys, due, is_json).await? };
        let left = if self.dry_run { before } else { sums(&sealed::survey(&mut conn).await?) };
        let others: u64 =
            left.iter().filter(|(key, _)| !is_current(keys, key.as_deref())).map(|(_, count)| count).sum();
        let to = keys.current().unwrap_or("none");
        let mut text = if self.dry_run {
            format!("{due} secret(s) would be stored anew under the key {to}.")
        } else {
            format!("{} secret(s) are stored anew under the key {to}.", done.sealed)
        };
        for (why, count) in &done.unreadable {
            text.push_str(&format!("\n{count} cannot be read: {}", plain(why)));
        }
        for (key, count) in &left {
            let under =
                key.as_ref().map_or_else(|| "in the clear".to_owned(), |key| format!("under the key {}", plain(key)));
            text.push_str(&format!("\n{count:>10}  {under}"));
        }
        answer(is_json, &report(self.dry_run, keys, &done, &left), &text);
        Ok(if others == 0 || self.dry_run { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
    }

    /// Rotates, and leaves a line in the audit log.
    async fn seal(
        &self,
        conn: &mut PooledConnection,
        keys: &Keys,
        due: u64,
        is_json: bool,
    ) -> anyhow::Result<Progress> {
        let deed = Deed::new("instance.rotate_key", AuditedKind::Instance, None).begin(conn).await?;
        let done = self.rotate(conn, keys, due, is_json).await?;
        let deed = deed.changing("key_id", Value::Null, keys.current()).changing("sealed", 0, done.sealed);
        deed.confirm(conn).await?;
        Ok(done)
    }

    async fn rotate(
        &self,
        conn: &mut PooledConnection,
        keys: &Keys,
        due: u64,
        is_json: bool,
    ) -> anyhow::Result<Progress> {
        let bar = progress::bar(due, is_json);
        let (mut sealed, mut passes) = (0, 0);
        loop {
            let mut rotation = Rotation::new(keys, self.batch);
            while rotation.step(conn).await? {
                bar.set_position(sealed + rotation.progress.seen());
            }
            (sealed, passes) = (sealed + rotation.progress.sealed, passes + 1);
            if rotation.progress.missed == 0 || passes == PASSES_MAX {
                bar.finish_and_clear();
                return Ok(Progress { sealed, ..rotation.progress });
            }
        }
    }
}

/// Whether secrets under this key, or in the clear, are where they are to be.
fn is_current(keys: &Keys, key: Option<&str>) -> bool {
    keys.current() == key
}

/// All columns together.
fn sums(counts: &[Count]) -> BTreeMap<Option<String>, u64> {
    let mut sums = BTreeMap::new();
    for count in counts {
        *sums.entry(count.key.clone()).or_default() += count.secrets;
    }
    sums
}

fn report(is_dry: bool, keys: &Keys, done: &Progress, left: &BTreeMap<Option<String>, u64>) -> Value {
    let left: Vec<Value> = left
        .iter()
        .map(|(key, count)| json!({"key": key, "secrets": count, "is_current": is_current(keys, key.as_deref())}))
        .collect();
    json!({
        "dry_run": is_dry, "current": keys.current(), "sealed": done.sealed, "unreadable": done.unreadable, "left": left,
    })
}
