//! The reference of settings in the documentation, written from the definitions themselves. Each crate has a test that holds
//! its part of the document against them.

use std::{io, path::Path};

use clap::{Arg, ArgAction, Command};

/// Settings that several roles share.
#[derive(Debug, clap::Parser)]
#[command(name = "shared")]
struct Shared {
    #[command(flatten)]
    process: super::ProcessSettings,
    #[command(flatten)]
    database: super::DatabaseSettings,
    #[command(flatten)]
    redis: super::RedisSettings,
}

/// The settings that several roles share, as a command.
#[must_use]
pub fn shared() -> Command {
    <Shared as clap::CommandFactory>::command()
}

/// Writes what the command takes into its part of the document, between `<!-- NAME begins -->` and `<!-- NAME ends -->`, where
/// NAME is the command's. What roles share is left out. Whether it was so before.
///
/// # Errors
/// The document cannot be read or written, or has no such part.
pub fn renew(document: &Path, mut command: Command) -> io::Result<bool> {
    command.build();
    let name = command.get_name().to_string();
    let shared = (name != "shared").then(shared);
    let known = |arg: &Arg| shared.as_ref().is_some_and(|shared| is_among(shared, arg));
    let mut text = table(&command, &known);
    write_subcommands(&command, &known, &mut text);
    let old = std::fs::read_to_string(document)?;
    let (begin, end) = (format!("<!-- {name} begins -->\n"), format!("<!-- {name} ends -->"));
    let parts = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?)));
    let Some((before, (part, after))) = parts else {
        return Err(io::Error::other(format!("{} has no part {name}", document.display())));
    };
    if part == text {
        return Ok(true);
    }
    std::fs::write(document, format!("{before}{begin}{text}{end}{after}"))?;
    Ok(false)
}

fn is_among(command: &Command, arg: &Arg) -> bool {
    command.get_arguments().any(|known| known.get_id() == arg.get_id() && known.get_env() == arg.get_env())
}

fn write_subcommands(command: &Command, known: &dyn Fn(&Arg) -> bool, text: &mut String) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        let known = |arg: &Arg| known(arg) || is_among(command, arg);
        let title = below.get_bin_name().unwrap_or(below.get_name());
        let about = below.get_about().map(|about| one_line(&about.to_string())).unwrap_or_default();
        text.push_str(&format!("\n### `{title}`\n{about}\n\n{}", table(below, &known)));
        write_subcommands(below, &known, text);
    }
}

fn table(command: &Command, known: &dyn Fn(&Arg) -> bool) -> String {
    let is_shown =
        |arg: &&Arg| !arg.is_hide_set() && !known(arg) && !matches!(arg.get_id().as_str(), "help" | "version");
    let rows: Vec<String> = command.get_arguments().filter(is_shown).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("| flag | variable | default | what it is |\n|---|---|---|---|\n{}", rows.concat())
}

fn row(arg: &Arg) -> String {
    let value =
        arg.get_value_names().into_iter().flatten().next().map_or_else(|| arg.get_id().as_str(), |name| name.as_str());
    let flag = arg.get_long().map_or_else(|| format!("`{}`", value.to_uppercase()), |long| format!("`--{long}`"));
    let variable = arg.get_env().map_or_else(|| "–".into(), |name| format!("`{}`", name.to_string_lossy()));
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = match () {
        () if arg.is_required_set() => "required".into(),
        () if is_switch || defaults.is_empty() => "–".into(),
        () => format!("`{}`", defaults.join(",")),
    };
    let mut help = arg.get_long_help().or(arg.get_help()).map(|help| one_line(&help.to_string())).unwrap_or_default();
    if !help.is_empty() && !help.ends_with('.') {
        help.push('.');
    }
    let words: Vec<String> = arg.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
    let is_yes_or_no = words.iter().any(|word| word == "`true`");
    if !is_switch && !words.is_empty() && !is_yes_or_no && words.len() < 12 {
        help.push_str(&format!(" One of {}.", words.join(", ")));
    }
    format!("| {flag} | {variable} | {default} | {} |\n", help.replace('|', "\\|"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_of_what_roles_share_is_of_these_definitions() {
        let document = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md"));
        assert!(renew(document, shared()).unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }

    #[test]
    fn a_part_is_written_once_and_the_rest_of_the_document_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "before\n<!-- tool begins -->\nold\n<!-- tool ends -->\nafter\n").unwrap();
        let command = || {
            let list =
                Arg::new("list").long("list").env("TOOL_LIST").default_value("a,b").help("A <list> | of\nwords.");
            let config = shared().get_arguments().find(|arg| arg.get_id() == "config").unwrap().clone();
            let below = Command::new("run").about("Runs.").arg(Arg::new("file").required(true).help("What."));
            Command::new("tool").arg(list).arg(config).subcommand(below)
        };
        assert!(!renew(file.path(), command()).unwrap());
        assert!(renew(file.path(), command()).unwrap());
        let text = std::fs::read_to_string(file.path()).unwrap();
        let rows = "| flag | variable | default | what it is |\n|---|---|---|---|\n";
        assert_eq!(
            text,
            format!(
                "before\n<!-- tool begins -->\n{rows}| `--list` | `TOOL_LIST` | `a,b` | A &lt;list> \\| of words. |\n\n### `tool run`\nRuns.\n\n{rows}| `FILE` | – | required | What. |\n<!-- tool ends -->\nafter\n"
            )
        );
        assert!(renew(file.path(), Command::new("other")).is_err());
    }
}
