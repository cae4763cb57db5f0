//! The operator's tool.

mod audit;
mod bootstrap;
mod keys;
mod migrate;
mod output;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use posthouse_service::settings::{self, DatabaseSettings};

const EXAMPLES: &str = "Examples:
  posthouse migrate
  posthouse migrate --status
  posthouse bootstrap --organisation acme --project orders --json
  posthouse users create --email ada@example.com --organisation acme --role organisation_admin
  posthouse keys list --project 01JD…
  posthouse audit";

/// Operates a Posthouse deployment: its schema, its first project, its users and keys, its ledger.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, after_help = EXAMPLES)]
struct Cli {
    /// TOML file with settings, named as the flags are, with underscores.
    #[arg(long, env = "POSTHOUSE_CONFIG", value_name = "FILE", global = true)]
    config: Option<std::path::PathBuf>,
    #[command(flatten)]
    database: DatabaseSettings,
    /// Writes JSON for machines instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Applies the pending migrations and makes the coming days' partitions.
    Migrate(migrate::Migrate),
    /// Makes an organisation, a project and their first keys, or new keys where they exist already.
    Bootstrap(bootstrap::Bootstrap),
    /// Lists, makes and revokes API keys.
    Keys(keys::Keys),
    /// Makes accounts and gives them passwords.
    Users(users::Users),
    /// Sums up the ledger, and exits with 1 when it does not add up.
    Audit,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = settings::read();
    let done = match &cli.command {
        Command::Migrate(command) => command.run(&cli.database, cli.json).await,
        Command::Bootstrap(command) => command.run(&cli.database, cli.json).await,
        Command::Keys(command) => command.run(&cli.database, cli.json).await,
        Command::Users(command) => command.run(&cli.database, cli.json).await,
        Command::Audit => audit::run(&cli.database, cli.json).await,
    };
    done.unwrap_or_else(|error| {
        output::complain(&error);
        ExitCode::FAILURE
    })
}
