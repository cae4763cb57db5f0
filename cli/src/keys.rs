//! `posthouse keys`: API keys of projects and users, from the operator's side.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{TimeDelta, Utc};
use clap::Subcommand;
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::{ApiKeyId, ProjectId},
    page::{Direction, PageRequest, Sort},
    pool::PooledConnection,
    project::Project,
    user,
    words::{AuditedKind, Role},
};
use posthouse_service::settings::DatabaseSettings;
use serde_json::json;

use crate::{
    audit_log,
    output::{answer, connect},
};

/// Keys that one answer lists.
const KEYS_MAX: u32 = 1_000;
const DAYS_MAX: i64 = 3_650;

const EXAMPLES: &str = "Examples:
  posthouse keys list --project 01JD…
  posthouse keys create --project 01JD… --name ci --expires-in-days 90 --json
  posthouse keys create --user ada@example.com --name laptop
  posthouse keys revoke 01JE…";

/// Lists, makes and revokes API keys.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the keys of a project or a user that were not revoked.
    List(OwnerArgs),
    /// Makes a key, which is shown only now.
    Create(Create),
    /// Revokes a key: it is refused everywhere within 5 seconds.
    Revoke {
        /// The key's id.
        id: ApiKeyId,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct OwnerArgs {
    /// The project's id.
    #[arg(long)]
    project: Option<ProjectId>,
    /// The user's address.
    #[arg(long)]
    user: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Create {
    #[command(flatten)]
    owner: OwnerArgs,
    /// What it is called.
    #[arg(long)]
    name: String,
    /// What a project's key may do: project_admin or project_viewer. A user's key may do what the user may.
    #[arg(long, default_value = "project_admin", value_parser = role)]
    role: Role,
    /// Days after which it ends; without it never.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=DAYS_MAX))]
    expires_in_days: Option<i64>,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text)
        .filter(|role| matches!(role, Role::ProjectAdmin | Role::ProjectViewer))
        .ok_or_else(|| "project_admin or project_viewer".into())
}

impl OwnerArgs {
    async fn find(&self, conn: &mut PooledConnection) -> anyhow::Result<Owner> {
        if let Some(id) = self.project {
            let project = Project::find(conn, id).await?.with_context(|| format!("there is no project {id}"))?;
            return Ok(Owner::Project(project.id));
        }
        let email = self.user.as_deref().unwrap_or_default();
        let id = user::find_by_email(conn, email).await?.with_context(|| format!("{email} has no account"))?;
        Ok(Owner::User(id))
    }
}

impl Keys {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let mut conn = connect(database).await?;
        match &self.command {
            Command::List(owner) => list(owner, &mut conn, is_json).await,
            Command::Create(create) => create.run(&mut conn, is_json).await,
            Command::Revoke { id } => {
                anyhow::ensure!(ApiKey::revoke(&mut conn, *id).await?, "there is no live key {id}");
                audit_log::note(&mut conn, "api_key.revoke", (AuditedKind::ApiKey, id.to_bits()), (None, None)).await?;
                answer(is_json, &json!({"revoked": id}), &format!("key  {id}  is revoked"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

async fn list(owner: &OwnerArgs, conn: &mut PooledConnection, is_json: bool) -> anyhow::Result<ExitCode> {
    let owner = owner.find(conn).await?;
    let page = PageRequest { per_page: KEYS_MAX, sort: Sort::Descending, direction: Direction::Next, cursor: None };
    let keys = ApiKey::list(conn, owner, &page).await?;
    let now = Utc::now();
    let rows: Vec<_> = keys
        .rows
        .iter()
        .map(|key| {
            json!({
                "id": key.id, "name": key.name, "role": key.role, "is_live": key.is_live(now),
                "expires_at": key.expires_at, "created_at": key.created_at,
            })
        })
        .collect();
    let line = |key: &ApiKey| {
        let end = key.expires_at.map_or_else(|| "never ends".into(), |end| format!("ends {}", end.format("%Y-%m-%d")));
        format!("{}  {}  {}  {end}", key.id, key.role, key.name)
    };
    let text =
        if keys.rows.is_empty() { "no keys".into() } else { keys.rows.iter().map(line).collect::<Vec<_>>().join("\n") };
    answer(is_json, &json!({"keys": rows, "has_more": keys.next.is_some()}), &text);
    Ok(ExitCode::SUCCESS)
}

impl Create {
    async fn run(&self, conn: &mut PooledConnection, is_json: bool) -> anyhow::Result<ExitCode> {
        let name = self.name.trim();
        anyhow::ensure!(!name.is_empty() && !name.contains(char::is_control), "a name has at least one character");
        let owner = self.owner.find(conn).await?;
        let end = self.expires_in_days.map(|days| Utc::now() + TimeDelta::days(days));
        let (row, plain) = ApiKey::insert(conn, owner, name, self.role, end).await?;
        let of = (None, row.project_id);
        audit_log::note(conn, "api_key.create", (AuditedKind::ApiKey, row.id.to_bits()), of).await?;
        let json = json!({"id": row.id, "name": row.name, "key": plain.expose(), "expires_at": row.expires_at});
        answer(is_json, &json, &format!("key  {}\nid   {}\nIt is shown only now.", plain.expose(), row.id));
        Ok(ExitCode::SUCCESS)
    }
}
