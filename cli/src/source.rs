//! `posthouse source`: where a project's events come in.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::{
    api::{Access, Query, text, without_secrets},
    output::{answer, table},
};

const EXAMPLES: &str = "Examples:
  posthouse source list
  posthouse source list --type http --json";

/// Lists sources.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Source {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists sources, the newest first. Secrets are hidden.
    List(List),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Of this type: http or pub_sub.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// From here on: `next` of the list before.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl Source {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let Command::List(list) = &self.command;
        let client = self.access.connect().await?;
        let query: Query = list.kind.iter().map(|kind| ("type", kind.clone())).collect();
        let (rows, next) = client.list(&["sources"], &query, list.limit, list.after.as_deref()).await?;
        let cells: Vec<_> = rows
            .iter()
            .map(|row| ["/uid", "/name", "/type", "/provider", "/url"].map(|field| text(row, field).to_string()))
            .collect();
        let mut table = table(["id", "name", "type", "provider", "url"], &cells, "no sources");
        if let Some(next) = &next {
            table.push_str(&format!("\nThere are more: --after {next}"));
        }
        answer(is_json, &json!({"sources": without_secrets(rows.into()), "next": next}), &table);
        Ok(ExitCode::SUCCESS)
    }
}
