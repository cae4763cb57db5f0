//! `run.env`: how other tools attach to what runs. Shell assignments, one a line; read with `. .posthouse/run.env`.

use std::{fs, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, Result};

/// Its name in `.posthouse/`.
pub const FILE: &str = "run.env";

/// Removes what an earlier run wrote, so that nobody attaches to what has gone.
///
/// # Errors
/// The file is there and cannot be removed.
pub fn remove(root: &Path) -> Result<()> {
    match fs::remove_file(root.join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("remove the old run.env"),
        _ => Ok(()),
    }
}

/// Writes the file whole or not at all, for its owner only: it holds keys.
///
/// # Errors
/// It cannot be written.
pub fn write(root: &Path, values: &[(&str, String)]) -> Result<()> {
    use std::io::Write as _;
    let unfinished = root.join(format!("{FILE}.{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .context("write run.env")?;
    for (name, value) in values {
        writeln!(file, "{name}={}", quoted(value)).context("write run.env")?;
    }
    fs::rename(&unfinished, root.join(FILE)).context("write run.env")
}

/// The value as the shell reads it; plain where no character needs quotes.
fn quoted(value: &str) -> String {
    let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_-.,:/@%+=".contains(c));
    if is_plain { value.into() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_reads_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let url = "postgres://u:p@h/d?a=b&c='d e'";
        write(folder.path(), &[("PG_PID", "7".into()), ("DATABASE_URL", url.into()), ("REDIS_PORT", String::new())])
            .unwrap();
        let script = format!(
            ". {}/{FILE}; printf '%s|%s|%s' \"$PG_PID\" \"$DATABASE_URL\" \"$REDIS_PORT\"",
            folder.path().display()
        );
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("7|{url}|"));
        remove(folder.path()).unwrap();
        remove(folder.path()).unwrap();
        assert!(!folder.path().join(FILE).exists());
    }
}
