//! `posthouse users`: accounts from the operator's side, for instances where nobody can sign up or no mail is sent.

use std::{io::Read as _, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    organisation::Organisation,
    password,
    pool::PooledConnection,
    session,
    user::{self, NewUser, User},
    words::{AuditedKind, Role},
};
use posthouse_service::settings::DatabaseSettings;
use serde_json::json;

use crate::{
    audit_log,
    output::{answer, connect},
};

const PASSWORD_CHARS_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1_024;

const CREATE_EXAMPLES: &str = "Examples:
  posthouse users create --email ada@example.com --organisation acme --role organisation_admin
  printf %s \"$PASSWORD\" | posthouse users create --email ada@example.com --password-stdin --json";
const PASSWORD_EXAMPLES: &str = "Examples:
  printf %s \"$PASSWORD\" | posthouse users set-password --email ada@example.com --password-stdin";

/// Makes accounts and gives them passwords.
#[derive(Debug, clap::Args)]
pub struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes an account, or uses the one that there is, and makes it a member of an organisation.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Create),
    /// Gives an account a password, and ends its sessions.
    #[command(after_help = PASSWORD_EXAMPLES)]
    SetPassword(SetPassword),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Address.
    #[arg(long, value_parser = email)]
    email: String,
    /// First name.
    #[arg(long, default_value = "")]
    first_name: String,
    /// Last name.
    #[arg(long, default_value = "")]
    last_name: String,
    /// Name of the organisation that it is to belong to.
    #[arg(long)]
    organisation: Option<String>,
    /// As what: instance_admin, organisation_admin, billing_admin, project_admin or project_viewer.
    #[arg(long, default_value = "project_viewer", value_parser = role)]
    role: Role,
    /// Reads its password from standard input, to the end; without it the account has none and can only use keys.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, clap::Args)]
struct SetPassword {
    /// Address of the account.
    #[arg(long)]
    email: String,
    /// Reads the password from standard input, to the end. A flag would show it to everybody on the machine.
    #[arg(long, required = true)]
    password_stdin: bool,
}

fn email(text: &str) -> Result<String, String> {
    let is_address = text.is_ascii()
        && text.len() <= 254
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && text
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
    if is_address { Ok(text.into()) } else { Err("an address such as ada@example.com is expected".into()) }
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text)
        .filter(|role| *role != Role::Api)
        .ok_or_else(|| "instance_admin, organisation_admin, billing_admin, project_admin or project_viewer".into())
}

impl Users {
    /// Runs the command.
    pub async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::Create(create) => create.run(database, is_json).await,
            Command::SetPassword(change) => change.run(database, is_json).await,
        }
    }
}

impl Create {
    async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        let password_hash = if self.password_stdin { Some(hash_of_stdin()?) } else { None };
        let mut conn = connect(database).await?;
        let organisation = match &self.organisation {
            Some(name) => Some(
                Organisation::find_by_name(&mut conn, name)
                    .await?
                    .with_context(|| format!("there is no organisation {name}"))?,
            ),
            None => None,
        };
        let user = self.user(&mut conn, password_hash).await?;
        if let Some(organisation) = &organisation {
            audit_log::set_member(&mut conn, organisation.id, user.id, self.role).await?;
        }
        let member = organisation.map(|organisation| json!({"organisation_id": organisation.id, "role": self.role}));
        let text = format!("user  {}  {}", user.id, user.email);
        answer(is_json, &json!({"user_id": user.id, "email": user.email, "member": member}), &text);
        Ok(ExitCode::SUCCESS)
    }

    async fn user(&self, conn: &mut PooledConnection, password_hash: Option<String>) -> anyhow::Result<User> {
        let new = NewUser {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            password_hash: password_hash.clone(),
        };
        match User::insert(conn, &new).await {
            Ok(user) => {
                let made = (AuditedKind::User, user.id.to_bits());
                audit_log::note(conn, "user.create", made, (None, None)).await?;
                Ok(user)
            }
            Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) if password_hash.is_none() => {
                let known =
                    user::find_by_email(conn, &self.email).await?.context("the account was deleted meanwhile")?;
                User::find(conn, known).await?.context("the account was deleted meanwhile")
            }
            Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                anyhow::bail!("{} has an account: use `posthouse users set-password`", self.email)
            }
            Err(other) => Err(other.into()),
        }
    }
}

impl SetPassword {
    async fn run(&self, database: &DatabaseSettings, is_json: bool) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(self.password_stdin, "the password is read from standard input: --password-stdin");
        let hash = hash_of_stdin()?;
        let mut conn = connect(database).await?;
        let user = user::find_by_email(&mut conn, &self.email)
            .await?
            .with_context(|| format!("{} has no account", self.email))?;
        user::set_password(&mut conn, user, &hash).await?;
        audit_log::note(&mut conn, "user.set_password", (AuditedKind::User, user.to_bits()), (None, None)).await?;
        session::end_all(&mut conn, user, None).await?;
        answer(is_json, &json!({"user_id": user}), &format!("user  {user}  has a new password"));
        Ok(ExitCode::SUCCESS)
    }
}

/// The line break that `echo` adds is no part of it.
fn hash_of_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    anyhow::ensure!(
        text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX && !text.contains('\0'),
        "a password of at least {PASSWORD_CHARS_MIN} characters is expected on standard input"
    );
    Ok(password::hash(text)?)
}
