//! The optional settings file: a flat TOML table whose names are the flags', with underscores. A name that no flag has is
//! refused with the nearest one that exists, because a setting that does nothing is worse than an error.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Arg, Command};

use super::SettingsError;

/// The file named by `--config FILE`, `--config=FILE` or the environment.
pub(super) fn path(args: &[OsString], environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(arg) = arg.to_str() else { continue };
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    environment("POSTHOUSE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The command with the file's values as its defaults.
pub(super) fn apply(mut command: Command, path: &Path) -> Result<Command, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Read(path.into(), error))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| SettingsError::Toml(path.into(), Box::new(error)))?;
    let mut faults = Vec::new();
    for (name, value) in table {
        match (argument(&command, &name), texts(&value)) {
            (Some(_), None) => {
                faults.push(format!("{name}: a text, a number, a boolean, or a list of these was expected"))
            }
            (None, _) => faults.push(unknown(&command, &name)),
            (Some(id), Some(values)) => {
                command =
                    command.mut_arg(id, |arg| arg.default_values(values).required(false).hide_default_value(true));
            }
        }
    }
    if faults.is_empty() { Ok(command) } else { Err(SettingsError::Content(path.into(), faults.join("\n  "))) }
}

fn argument(command: &Command, name: &str) -> Option<clap::Id> {
    settable(command).find(|arg| arg.get_id() == name).map(|arg| arg.get_id().clone())
}

/// Flags with a value; the file does not name another file.
fn settable(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_long().is_some() && arg.get_id() != "config")
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(is_set) => Some(vec![is_set.to_string()]),
        toml::Value::Array(values) => {
            let texts: Option<Vec<Vec<String>>> =
                values.iter().map(|value| if value.is_array() { None } else { texts(value) }).collect();
            texts.map(|texts| texts.concat())
        }
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
    }
}

fn unknown(command: &Command, name: &str) -> String {
    let nearest = settable(command).map(|arg| arg.get_id().as_str()).min_by_key(|known| distance(known, name));
    match nearest.filter(|known| distance(known, name) <= 3) {
        Some(known) => format!("{name}: unknown setting; did you mean {known}?"),
        None => format!("{name}: unknown setting"),
    }
}

/// Levenshtein's distance, for a handful of short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let diagonal = row.get(j).copied().unwrap_or(0) + usize::from(x != *y);
            let up = row.get(j + 1).copied().unwrap_or(0) + 1;
            let left = next.get(j).copied().unwrap_or(0) + 1;
            next.push(diagonal.min(up).min(left));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
