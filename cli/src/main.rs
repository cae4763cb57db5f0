//! The operator's tool. What needs a service says so when it is not named; what speaks to the API needs no service.

mod api;
mod audit;
mod audit_log;
mod batch;
mod bootstrap;
mod completions;
mod doctor;
mod endpoint;
mod exit;
mod export;
mod feed;
mod import;
mod keys;
mod listen;
mod login;
mod migrate;
mod output;
mod progress;
mod project;
mod purge;
mod replay;
mod retry;
mod rotate_key;
mod schedule;
mod send;
mod services;
mod source;
mod subscription;
mod tail;
mod users;
mod wait;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use posthouse_service::settings;

use crate::{exit::WrongUse, services::Services};

const EXAMPLES: &str = "Examples:
  posthouse migrate
  posthouse bootstrap --organisation acme --project orders --json
  posthouse doctor
  posthouse login --url https://hooks.example.com
  posthouse endpoint create https://example.com/hooks --name orders --event-type '*'
  posthouse send --broadcast --event-type order.paid --data '{\"id\": 1}' --wait
  posthouse tail --status failure

Exit codes: 0 done, 1 failed, 2 asked wrongly, 3 done and not all is as it should be, 4 not done in time.";

/// Operates a Posthouse deployment, and speaks to its API.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, after_help = EXAMPLES)]
pub struct Cli {
    /// TOML file with settings, named as the flags are, with underscores.
    #[arg(long, env = "POSTHOUSE_CONFIG", value_name = "FILE", global = true, hide_short_help = true)]
    config: Option<std::path::PathBuf>,
    #[command(flatten)]
    services: Services,
    /// Writes JSON for machines instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Migrate(migrate::Migrate),
    Bootstrap(bootstrap::Bootstrap),
    Keys(keys::Keys),
    Users(users::Users),
    RotateKey(rotate_key::RotateKey),
    /// Sums up the ledger, and exits with 1 when it does not add up.
    #[command(after_help = "Examples:\n  posthouse audit\n  posthouse audit --json")]
    Audit,
    Export(export::Export),
    Import(import::Import),
    AuditLog(audit_log::AuditLog),
    Purge(purge::Purge),
    Doctor(Box<doctor::Doctor>),
    Login(login::Login),
    Logout(login::Logout),
    Project(project::Project),
    Endpoint(endpoint::Endpoint),
    Subscription(subscription::Subscription),
    Source(source::Source),
    Send(Box<send::Send>),
    Tail(tail::Tail),
    Retry(Box<retry::Retry>),
    Replay(Box<replay::Replay>),
    Batch(batch::Batch),
    Listen(listen::Listen),
    Schedule(schedule::Schedule),
    Completions(completions::Completions),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = settings::read();
    // Only a second choice in one process can fail.
    rustls::crypto::ring::default_provider().install_default().ok();
    run(&cli).await.unwrap_or_else(|error| {
        let is_reader_gone =
            error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
        if is_reader_gone {
            return ExitCode::SUCCESS;
        }
        output::complain(&error);
        if error.is::<WrongUse>() { ExitCode::from(exit::WRONG_USE) } else { ExitCode::FAILURE }
    })
}

async fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (services, is_json) = (&cli.services, cli.json);
    match &cli.command {
        Command::Migrate(command) => command.run(&services.database()?, is_json).await,
        Command::Bootstrap(command) => command.run(&services.database()?, is_json).await,
        Command::Keys(command) => command.run(&services.database()?, is_json).await,
        Command::Users(command) => command.run(&services.database()?, is_json).await,
        Command::RotateKey(command) => command.run(&services.database()?, is_json).await,
        Command::Audit => audit::run(&services.database()?, is_json).await,
        Command::Export(command) => command.run(&services.database()?, is_json).await,
        Command::Import(command) => command.run(&services.database()?, is_json).await,
        Command::AuditLog(command) => command.run(&services.database()?, is_json).await,
        Command::Purge(command) => command.run(&services.database()?, is_json).await,
        Command::Doctor(command) => command.run(services, is_json).await,
        Command::Login(command) => command.run(is_json).await,
        Command::Logout(command) => command.run(is_json),
        Command::Project(command) => command.run(is_json).await,
        Command::Endpoint(command) => command.run(is_json).await,
        Command::Subscription(command) => command.run(is_json).await,
        Command::Source(command) => command.run(is_json).await,
        Command::Send(command) => command.run(is_json).await,
        Command::Tail(command) => command.run(is_json).await,
        Command::Retry(command) => command.run(is_json).await,
        Command::Replay(command) => command.run(is_json).await,
        Command::Batch(command) => command.run(is_json).await,
        Command::Listen(command) => command.run(is_json).await,
        Command::Schedule(command) => command.run(is_json).await,
        Command::Completions(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_sound_and_every_command_has_examples() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        cli.build();
        for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
            let with_own = std::iter::once(command).chain(command.get_subcommands());
            let is_shown =
                with_own.filter_map(clap::Command::get_after_help).any(|text| text.to_string().contains("posthouse "));
            assert!(is_shown, "{} has no examples", command.get_name());
            assert!(command.get_about().is_some(), "{} says nothing of itself", command.get_name());
        }
    }

    #[test]
    fn the_reference_is_of_this_definition() {
        let document = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md"));
        let is_so = posthouse_service::settings::reference::renew(document, <Cli as clap::CommandFactory>::command());
        assert!(is_so.unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }
}
