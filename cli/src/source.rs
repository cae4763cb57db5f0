//! `posthouse source`: where a project's events come in, and whether they can.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Access, Query, text, without_secrets},
    exit::{NOT_ALL, WrongUse},
    output::{answer, table},
};

const EXAMPLES: &str = "Examples:
  posthouse source list
  posthouse source list --type http --json
  posthouse source test 01BX5ZZKBKACTAV9WEVGEMMVS0
  posthouse source test --settings broker.json";

/// Lists sources, and tries their brokers.
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
    /// Tries whether a source's broker can be read, without taking a message. Ends with 3 where it cannot.
    Test(Test),
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
struct Test {
    /// Id of the source.
    #[arg(group = "what", value_name = "ID")]
    id: Option<String>,
    /// A file with settings instead of those that are stored: the object `pub_sub` of a source.
    #[arg(long, group = "what", value_name = "FILE")]
    settings: Option<PathBuf>,
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
        match &self.command {
            Command::List(list) => self.list(list, is_json).await,
            Command::Test(test) => self.test(test, is_json).await,
        }
    }

    async fn test(&self, test: &Test, is_json: bool) -> anyhow::Result<ExitCode> {
        let body = test.settings.as_deref().map(body).transpose()?;
        let client = self.access.connect().await?;
        let path: Vec<&str> = ["sources"].into_iter().chain(test.id.as_deref()).chain(["test"]).collect();
        let result = client.call(Method::POST, &path, Vec::new(), body).await?.data;
        let is_ok = result.pointer("/is_ok").and_then(Value::as_bool) == Some(true);
        let duration = result.pointer("/duration_ms").and_then(Value::as_u64).unwrap_or_default();
        let mut words = match is_ok {
            true => format!("The broker can be read ({duration} ms)."),
            false => {
                let (step, reason) = (text(&result, "/failed_step"), text(&result, "/reason"));
                format!("The broker cannot be read. Failed at {step} after {duration} ms: {reason}")
            }
        };
        for note in result.pointer("/notes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            words.push_str("\nNote: ");
            words.push_str(note);
        }
        answer(is_json, &result, &words);
        Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL) })
    }

    async fn list(&self, list: &List, is_json: bool) -> anyhow::Result<ExitCode> {
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

/// What is sent with these settings.
fn body(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    // The parser's own words might quote a password.
    let pub_sub: Value =
        serde_json::from_slice(&text).map_err(|_| WrongUse::because(format!("{} is not JSON", file.display())))?;
    Ok(json!({"pub_sub": pub_sub}).to_string())
}
