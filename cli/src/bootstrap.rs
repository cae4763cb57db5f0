//! `posthouse bootstrap`: from an empty database to keys with which the API can be used. What exists is used again.

use std::process::ExitCode;

use anyhow::Context as _;
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::OrganisationId,
    organisation::{self, Organisation},
    pool::{self, PooledConnection},
    project::{NewProject, Project},
    project_config::ProjectConfig,
    user,
    words::{AuditedKind, ProjectKind, Role},
};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{audit_log, output::answer};

const EXAMPLES: &str = "Examples:
  posthouse bootstrap --organisation acme --project orders
  posthouse bootstrap --organisation acme --project orders --project-config '{\"disable_endpoint\": true}' --json";

/// Makes an organisation, a project and their first keys, or new keys where they exist already.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Bootstrap {
    /// Name of the organisation.
    #[arg(long, value_parser = name)]
    organisation: String,
    /// Name of the project.
    #[arg(long, value_parser = name)]
    project: String,
    /// Which way its events go.
    #[arg(long, default_value = "outgoing", value_parser = kind)]
    kind: ProjectKind,
    /// Settings of a new project, as JSON; what is missing takes its default.
    #[arg(long, default_value = "{}", value_parser = config)]
    project_config: Box<ProjectConfig>,
    /// Address of the instance's administrator, whose personal key is made.
    #[arg(long, default_value = "admin@localhost")]
    email: String,
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_control) {
        Err("a name has at least one character, and none of control".into())
    } else {
        Ok(text.into())
    }
}

fn kind(text: &str) -> Result<ProjectKind, String> {
    ProjectKind::parse(text).ok_or_else(|| "outgoing or incoming".into())
}

fn config(text: &str) -> Result<Box<ProjectConfig>, String> {
    serde_json::from_str(text).map(Box::new).map_err(|error| error.to_string())
}

impl Bootstrap {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let mut conn = pool::build(database.database_url.expose_secret(), 1, pool::Purpose::General)?
            .get()
            .await
            .context("the database cannot be reached")?;
        let organisation = match Organisation::find_by_name(&mut conn, &self.organisation).await? {
            Some(found) => found.id,
            None => {
                let id = organisation::insert(&mut conn, &self.organisation).await?;
                let made = (AuditedKind::Organisation, id.to_bits());
                audit_log::note(&mut conn, "organisation.create", made, (Some(id), None)).await?;
                id
            }
        };
        let user = match user::find_by_email(&mut conn, &self.email).await? {
            Some(found) => found,
            None => {
                let id = user::insert(&mut conn, &self.email).await?;
                audit_log::note(&mut conn, "user.create", (AuditedKind::User, id.to_bits()), (None, None)).await?;
                id
            }
        };
        audit_log::set_member(&mut conn, organisation, user, Role::InstanceAdmin).await?;
        let project = self.project(&mut conn, organisation).await?;
        let (row, api_key) = ApiKey::insert(
            &mut conn,
            Owner::Project(project.id),
            &format!("{}'s default key", project.name),
            Role::ProjectAdmin,
            None,
        )
        .await?;
        let (personal, personal_key) =
            ApiKey::insert(&mut conn, Owner::User(user), "bootstrap", Role::InstanceAdmin, None).await?;
        for (key, of) in [(&row, Some(project.id)), (&personal, None)] {
            let made = (AuditedKind::ApiKey, key.id.to_bits());
            audit_log::note(&mut conn, "api_key.create", made, (Some(organisation), of)).await?;
        }
        let text = format!(
            "organisation  {organisation}\nproject       {}\napi key       {}\npersonal key  {}\nThe keys are shown only now.",
            project.id,
            api_key.expose(),
            personal_key.expose()
        );
        let json = json!({
            "organisation_id": organisation,
            "project_id": project.id,
            "api_key": api_key.expose(),
            "personal_key": personal_key.expose(),
        });
        answer(is_json, &json, &text);
        Ok(ExitCode::SUCCESS)
    }

    async fn project(&self, conn: &mut PooledConnection, organisation_id: OrganisationId) -> anyhow::Result<Project> {
        if let Some(found) = Project::find_by_name(conn, organisation_id, &self.project).await? {
            anyhow::ensure!(found.kind == self.kind, "the project {} exists, and is {}", self.project, found.kind);
            return Ok(found);
        }
        let config = (*self.project_config).clone();
        let new = NewProject {
            organisation_id,
            name: self.project.clone(),
            kind: self.kind,
            logo_url: String::new(),
            config,
        };
        let project = Project::insert(conn, &new).await?;
        let made = (AuditedKind::Project, project.id.to_bits());
        audit_log::note(conn, "project.create", made, (Some(organisation_id), Some(project.id))).await?;
        Ok(project)
    }
}
