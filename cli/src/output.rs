//! What all commands do: reach the database, answer on standard output, complain on standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command line tool")]

use anyhow::Context as _;
use posthouse_schema::pool::{self, PooledConnection};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;

/// The one connection of a command.
///
/// # Errors
/// The database cannot be reached.
pub async fn connect(database: &DatabaseSettings) -> anyhow::Result<PooledConnection> {
    let pool = pool::build(database.database_url.expose_secret(), 1, pool::Purpose::General)?;
    pool.get().await.context("the database cannot be reached")
}

/// Prints an answer: JSON for machines, text for people.
pub fn answer(is_json: bool, json: &serde_json::Value, text: &str) {
    if is_json {
        println!("{json}");
    } else {
        println!("{text}");
    }
}

/// Prints why a command failed, with its causes.
pub fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
