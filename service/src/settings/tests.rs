//! Which of several values of a setting wins, and what is refused.

use std::io::Write as _;

use clap::Parser;
use secrecy::ExposeSecret as _;

use super::*;

#[derive(Debug, Parser)]
struct Config {
    #[command(flatten)]
    process: ProcessSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    /// A list.
    #[arg(long, value_delimiter = ',')]
    allow: Vec<String>,
}

fn parse(args: &[&str], environment: &[(&str, &str)]) -> Result<Config, SettingsError> {
    let args = std::iter::once("test").chain(args.iter().copied()).map(OsString::from);
    try_read(args, &|name| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string()))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = file(
        "database_url = \"postgres://file\"\ndatabase_pool_max = 7\ndrain_timeout = \"5s\"\nallow = [\"a\", \"b\"]\n",
    );
    let path = file.path().to_str().unwrap();
    let config = parse(&["--config", path, "--drain-timeout", "1m"], &[]).unwrap();
    assert_eq!(config.database.database_url.expose_secret(), "postgres://file");
    assert_eq!((config.database.database_pool_max, config.process.drain_timeout), (7, Duration::from_secs(60)));
    assert_eq!(config.allow, ["a", "b"]);
    assert_eq!(config.process.log_format, LogFormat::Json, "the default");
    let by_environment = parse(&[], &[("POSTHOUSE_CONFIG", path)]).unwrap();
    assert_eq!(by_environment.database.database_pool_max, 7);
}

#[test]
fn a_well_known_name_serves_where_ours_is_not_set() {
    let file = file("database_url = \"postgres://file\"\n");
    let config = format!("--config={}", file.path().display());
    let found = parse(&[&config], &[("DATABASE_URL", "postgres://well-known")]).unwrap();
    assert_eq!(found.database.database_url.expose_secret(), "postgres://well-known");
    let flag = parse(&["--database-url", "postgres://flag"], &[("DATABASE_URL", "postgres://well-known")]).unwrap();
    assert_eq!(flag.database.database_url.expose_secret(), "postgres://flag");
}

#[test]
fn every_fault_of_the_file_is_named() {
    let file = file("databse_url = \"x\"\nnonsense = 1\nlog_level = { a = 1 }\nconfig = \"other\"\n");
    let error = parse(&["--config", file.path().to_str().unwrap()], &[]).unwrap_err().to_string();
    for part in [
        "databse_url: unknown setting; did you mean database_url?",
        "nonsense: unknown setting",
        "log_level: a text",
        "config: unknown setting",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(parse(&["--config", "/nonexistent/x.toml"], &[]).unwrap_err().to_string().contains("/nonexistent/x.toml"));
}

#[test]
fn bad_values_are_refused_wherever_they_come_from() {
    assert!(
        parse(&["--database-url", "x", "--drain-timeout", "5"], &[]).unwrap_err().to_string().contains("drain-timeout")
    );
    let file = file("database_url = \"x\"\ndatabase_pool_max = 0\n");
    assert!(
        parse(&["--config", file.path().to_str().unwrap()], &[]).unwrap_err().to_string().contains("database-pool-max")
    );
    assert!(parse(&[], &[]).unwrap_err().to_string().contains("--database-url"), "what is required is named");
}

#[test]
fn secrets_are_neither_printed_nor_shown_in_the_help() {
    let file = file("database_url = \"postgres://u:hunter2@h/d\"\n");
    let path = file.path().to_str().unwrap();
    let config = parse(&["--config", path], &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let help = parse(&["--config", path, "--help"], &[]).unwrap_err().to_string();
    assert!(help.contains("--database-url") && !help.contains("hunter2"), "{help}");
}
