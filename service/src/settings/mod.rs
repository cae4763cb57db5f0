//! Settings: flags over environment over file over defaults, all through one clap definition, so that each setting has one
//! name, one type and one help text. The only place where a role reads the environment.

mod duration;
mod file;
pub mod reference;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use secrecy::SecretString;

pub use self::duration::duration;
pub use crate::traces::TraceSettings;

/// Settings that have a well-known name besides ours: used where ours is not set.
const WELL_KNOWN: [(&str, &str); 2] =
    [("POSTHOUSE_DATABASE_URL", "DATABASE_URL"), ("POSTHOUSE_REDIS_URL", "REDIS_URL")];

/// Settings of every process.
#[derive(Debug, Clone, clap::Args)]
pub struct ProcessSettings {
    /// TOML file with settings, named as the flags are, with underscores. Flags and environment win over it.
    #[arg(long, env = "POSTHOUSE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines are written.
    #[arg(long, env = "POSTHOUSE_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,posthouse_worker=debug`.
    #[arg(long, env = "POSTHOUSE_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// How long work may take to finish after SIGTERM or SIGINT.
    #[arg(long, env = "POSTHOUSE_DRAIN_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// Where traces go.
    #[command(flatten)]
    pub traces: TraceSettings,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// One line of text, for people.
    Text,
}

/// Settings of a process that uses the database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseSettings {
    /// PostgreSQL, as postgres://user:password@host:port/database; TLS by sslmode, sslrootcert, sslcert and sslkey, as in
    /// psql. DATABASE_URL serves where this is not set.
    #[arg(long, env = "POSTHOUSE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: SecretString,
    /// Most connections that this process opens.
    #[arg(long, env = "POSTHOUSE_DATABASE_POOL_MAX", default_value_t = 10, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub database_pool_max: usize,
    /// Keys of secrets at rest, as ID:KEY with 32 bytes in base64 each, separated by commas: the first one seals, all open.
    #[arg(long, env = "POSTHOUSE_SECRETS_KEY", hide_env_values = true, value_name = "KEYS")]
    pub secrets_key: Option<SecretString>,
    /// A file with such keys, one in a line.
    #[arg(long, env = "POSTHOUSE_SECRETS_KEY_FILE", value_name = "FILE")]
    pub secrets_key_file: Option<PathBuf>,
}

/// Settings of a process that uses Redis.
#[derive(Debug, Clone, clap::Args)]
pub struct RedisSettings {
    /// Redis, as redis://user:password@host:port/db, redis+cluster://host:port,host:port or
    /// redis+sentinel://host:port,host:port/master; with TLS rediss:// and so on. REDIS_URL serves where this is not set.
    #[arg(long, env = "POSTHOUSE_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: SecretString,
    /// What all keys begin with: two deployments may share a Redis under two prefixes.
    #[arg(long, env = "POSTHOUSE_REDIS_PREFIX", default_value = "posthouse")]
    pub redis_prefix: String,
    /// Certificates (PEM) of the authorities whose word is taken for Redis, instead of the system's.
    #[arg(long, env = "POSTHOUSE_REDIS_CA_FILE", value_name = "FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Certificate (PEM) that is shown to Redis.
    #[arg(long, env = "POSTHOUSE_REDIS_TLS_CERT", value_name = "FILE")]
    pub redis_tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, env = "POSTHOUSE_REDIS_TLS_KEY", value_name = "FILE")]
    pub redis_tls_key: Option<PathBuf>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A flag, variable or value that clap refuses; or `--help` and `--version`.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    /// The file cannot be read.
    #[error("the settings file {0} cannot be read: {1}")]
    Read(PathBuf, std::io::Error),
    /// The file is not TOML.
    #[error("the settings file {0} is not valid TOML: {1}")]
    Toml(PathBuf, Box<toml::de::Error>),
    /// The file holds names or values that do not exist; all of them are listed.
    #[error("the settings file {0} is refused:\n  {1}")]
    Content(PathBuf, String),
}

/// Reads the settings of this process; prints what is wrong and ends the process with code 2, or shows help with code 0.
#[must_use]
pub fn read<T: clap::Parser>() -> T {
    #[expect(clippy::disallowed_methods, reason = "the one place where settings are read from the environment")]
    let environment = |name: &str| std::env::var(name).ok();
    match try_read(std::env::args_os(), &environment) {
        Ok(settings) => settings,
        Err(SettingsError::Clap(error)) => error.exit(),
        Err(error) => {
            let mut command = T::command();
            command.error(clap::error::ErrorKind::InvalidValue, error.to_string()).exit()
        }
    }
}

/// Reads settings from these arguments. `environment` answers for the well-known names and the file's; clap itself reads
/// our own names from the process.
///
/// # Errors
/// See [`SettingsError`].
pub fn try_read<T: CommandFactory + FromArgMatches>(
    args: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<T, SettingsError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = without_empty(T::command(), environment);
    if let Some(path) = file::path(&args, environment) {
        command = file::apply(command, &path)?;
    }
    // After the file, so that these win over it; a default, so that flags and our own names win over them.
    for (name, fallback) in WELL_KNOWN {
        if environment(name).is_none_or(|value| value.is_empty())
            && let Some(value) = environment(fallback).filter(|value| !value.is_empty())
        {
            command = with_default(command, &|arg| arg.get_env().is_some_and(|env| env == name), &value);
        }
    }
    let matches = command.try_get_matches_from(args)?;
    Ok(T::from_arg_matches(&matches)?)
}

/// A variable that is set to nothing is not set: files of variables and Compose write it so.
fn without_empty(command: clap::Command, environment: &dyn Fn(&str) -> Option<String>) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let name = arg.get_env().and_then(std::ffi::OsStr::to_str);
        name.and_then(environment).is_some_and(|value| value.trim().is_empty())
    };
    let reset = |arg: clap::Arg| if is_empty(&arg) { arg.env(clap::builder::Resettable::Reset) } else { arg };
    command.mut_args(reset).mut_subcommands(|command| without_empty(command, environment))
}

fn with_default(command: clap::Command, is_wanted: &dyn Fn(&clap::Arg) -> bool, value: &str) -> clap::Command {
    let ids: Vec<clap::Id> =
        command.get_arguments().filter(|arg| is_wanted(arg)).map(|arg| arg.get_id().clone()).collect();
    ids.into_iter().fold(command, |command, id| {
        command.mut_arg(id, |arg| {
            let values: Vec<String> = match arg.get_value_delimiter() {
                Some(delimiter) => value.split(delimiter).map(|part| part.trim().to_string()).collect(),
                None => vec![value.to_string()],
            };
            arg.default_values(values).required(false).hide_default_value(true)
        })
    })
}

#[cfg(test)]
mod tests;
