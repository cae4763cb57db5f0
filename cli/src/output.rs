//! What all commands do: reach the database, answer on standard output, complain on standard error.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;
use posthouse_schema::pool::{self, PooledConnection};
use posthouse_service::settings::DatabaseSettings;
use secrecy::ExposeSecret as _;

use crate::exit::WrongUse;

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
    let printed = if is_json { line(&json.to_string()) } else { line(text) };
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        note(&format!("error: the answer cannot be written: {error}"));
    }
}

/// Prints one line of many, at once. Whoever reads may have gone, as `head` does.
///
/// # Errors
/// It cannot be written.
pub fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints why a command failed, with its causes.
pub fn complain(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// Tells people something that is no part of the answer. Where nobody listens, nothing is lost.
pub fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Whether somebody wants to go on, asked at the terminal.
///
/// # Errors
/// There is nobody to ask, and `is_sure` says nothing.
pub fn confirm(question: &str, is_sure: bool) -> anyhow::Result<bool> {
    if is_sure {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(WrongUse::because(format!("{question} Nobody can be asked here: --yes says so")));
    }
    write!(std::io::stderr(), "{question} [y/N] ").ok();
    let mut reply = String::new();
    std::io::stdin().read_line(&mut reply).context("standard input cannot be read")?;
    Ok(matches!(reply.trim(), "y" | "Y" | "yes"))
}

/// Text from elsewhere as a terminal may have it: without what moves its cursor or colours its lines.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Rows below their titles, in columns two spaces apart; `none` where there are no rows.
#[must_use]
pub fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]], none: &str) -> String {
    if rows.is_empty() {
        return none.into();
    }
    let rows: Vec<[String; N]> = std::iter::once(titles.map(str::to_uppercase))
        .chain(rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let text = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["1".to_string(), "orders".into()], ["22".into(), "é".into()]];
        assert_eq!(table(["id", "name"], &rows, "none"), "ID  NAME\n1   orders\n22  é");
        assert_eq!(table(["id"], &[], "no endpoints"), "no endpoints");
    }

    #[test]
    fn what_others_wrote_cannot_play_with_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\r\n"), "\u{fffd}[31mred\u{fffd}\u{fffd}");
        assert!(!table(["name"], &[["a\u{1b}]0;title\u{7}".into()]], "").contains('\u{1b}'));
    }
}
