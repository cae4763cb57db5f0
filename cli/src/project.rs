//! `posthouse project`: what a key opens.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    api::{Access, text, without_secrets},
    output::{answer, plain, table},
};

const EXAMPLES: &str = "Examples:
  posthouse project show
  posthouse project list --organisation 01JD… --json";

/// Shows projects.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Project {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the projects of an organisation that the key opens.
    List {
        /// Id of the organisation; that of the key's own project where it is missing.
        #[arg(long, value_name = "ID")]
        organisation: Option<String>,
    },
    /// Shows a project with its settings. Secrets are hidden.
    Show {
        /// Id of the project; the key's own where it is missing.
        id: Option<String>,
    },
}

impl Project {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::List { organisation } => self.list(organisation.as_deref(), is_json).await,
            Command::Show { id } => self.show(id.as_deref(), is_json).await,
        }
    }

    async fn list(&self, organisation: Option<&str>, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect().await?;
        let organisation = match organisation {
            Some(id) => id.to_string(),
            None => text(&client.get(&[], Vec::new()).await?, "/organisation_id").to_string(),
        };
        let projects = client.get_above(&["projects"], vec![("orgID", organisation)]).await?;
        let rows: Vec<_> = projects
            .as_array()
            .into_iter()
            .flatten()
            .map(|project| ["/uid", "/name", "/type", "/created_at"].map(|field| text(project, field).to_string()))
            .collect();
        let table = table(["id", "name", "type", "created"], &rows, "no projects");
        answer(is_json, &json!({"projects": without_secrets(projects)}), &table);
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, id: Option<&str>, is_json: bool) -> anyhow::Result<ExitCode> {
        let client = self.access.connect_to(id).await?;
        let project = without_secrets(client.get(&[], Vec::new()).await?);
        answer(is_json, &project, &shown(&project));
        Ok(ExitCode::SUCCESS)
    }
}

fn shown(project: &Value) -> String {
    let field = |name: &str| plain(text(project, name));
    let config = project.get("config").cloned().unwrap_or_default();
    format!(
        "id            {}\nname          {}\ntype          {}\norganisation  {}\ncreated       {}\nsettings      {config:#}",
        field("/uid"),
        field("/name"),
        field("/type"),
        field("/organisation_id"),
        field("/created_at"),
    )
}
