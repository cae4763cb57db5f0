//! What an operator does before the roles start: migrate, and make the first organisation, project and keys.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::role;

/// A project and the keys to it, as `posthouse bootstrap --json` prints them.
#[derive(Debug, Clone, Deserialize)]
pub struct Tenant {
    /// The organisation.
    pub organisation_id: String,
    /// Its project.
    pub project_id: String,
    /// Key of the project.
    pub api_key: String,
    /// Key of the person who made it.
    pub personal_key: String,
}

/// The operator's tool, on one database.
#[derive(Debug)]
pub struct Operator<'a> {
    /// The folder of the built binaries.
    pub binaries: &'a Path,
    /// The database.
    pub database_url: &'a str,
    /// The queues.
    pub redis_url: &'a str,
}

impl Operator<'_> {
    /// Applies all pending migrations.
    ///
    /// # Errors
    /// The tool fails; the text is what it said.
    pub async fn migrate(&self) -> Result<()> {
        self.run(&["migrate"]).await.map(|_| ())
    }

    /// Creates an organisation with one outgoing project.
    ///
    /// # Errors
    /// The tool fails; the text is what it said.
    pub async fn bootstrap(&self, organisation: &str, project: &str, config: Option<&Value>) -> Result<Tenant> {
        let mut arguments =
            vec!["bootstrap", "--organisation", organisation, "--project", project, "--kind", "outgoing", "--json"];
        let config = config.map(Value::to_string);
        if let Some(config) = &config {
            arguments.extend(["--project-config", config]);
        }
        let output = self.run(&arguments).await?;
        serde_json::from_str(&output).with_context(|| format!("`posthouse bootstrap --json` printed: {output}"))
    }

    /// The ledger's sums, whether they add up or not.
    ///
    /// # Errors
    /// The tool cannot tell; the text is what it said.
    pub async fn audit(&self) -> Result<Value> {
        let output = self.output(&["audit", "--json"]).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .with_context(|| format!("`posthouse audit` said {text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.output(arguments).await?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("`posthouse {}` failed ({}): {}", arguments.join(" "), output.status, errors.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn output(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = role::command(&role::binary(self.binaries, "posthouse")?);
        command
            .args(arguments)
            .env("POSTHOUSE_DATABASE_URL", self.database_url)
            .env("POSTHOUSE_REDIS_URL", self.redis_url);
        Command::from(command).output().await.context("run posthouse")
    }
}
