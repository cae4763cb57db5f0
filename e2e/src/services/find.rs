//! Where the service programs are. Debian keeps PostgreSQL's outside of PATH and the daemons' folder out of an
//! ordinary user's PATH, so both are searched as well.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// A program we start or call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// What it is called in messages.
    pub title: &'static str,
    /// The file that must exist.
    pub file: &'static str,
    /// Its package on Debian and Ubuntu.
    pub package: &'static str,
    /// The oldest major version that will do.
    pub major_min: u32,
}

impl Program {
    /// The database.
    pub const POSTGRES: Self = Self { title: "PostgreSQL", file: "postgres", package: "postgresql", major_min: 15 };
    /// The queues.
    pub const REDIS: Self = Self { title: "Redis", file: "redis-server", package: "redis-server", major_min: 6 };
    /// The MQTT broker of the demo and of ingest's tests.
    pub const MOSQUITTO: Self = Self { title: "Mosquitto", file: "mosquitto", package: "mosquitto", major_min: 1 };
    /// The AMQP broker of ingest's tests.
    pub const RABBITMQ: Self =
        Self { title: "RabbitMQ", file: "rabbitmq-server", package: "rabbitmq-server", major_min: 3 };
    /// The JetStream server of ingest's tests.
    pub const NATS: Self = Self { title: "NATS server", file: "nats-server", package: "nats-server", major_min: 2 };
    /// The balancer of egress' tests.
    pub const HAPROXY: Self = Self { title: "HAProxy", file: "haproxy", package: "haproxy", major_min: 2 };
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::POSTGRES, Self::REDIS, Self::MOSQUITTO, Self::RABBITMQ, Self::NATS, Self::HAPROXY];
}

/// A program that is there and new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its full path.
    pub path: PathBuf,
    /// Such as `15.20`.
    pub version: String,
}

/// The newest of this program on the machine, or `None` if there is none of the needed version.
#[must_use]
pub fn find(program: Program) -> Option<Found> {
    candidates(program.file)
        .filter_map(|path| {
            let version = version_of(&path)?;
            Some(Found { path, version })
        })
        .filter(|found| major(&found.version) >= program.major_min)
        .max_by_key(|found| major(&found.version))
}

/// The program, or what to do about its absence.
pub(super) fn require(program: Program) -> Result<Found> {
    let Program { title, package, major_min, .. } = program;
    match find(program) {
        Some(found) => Ok(found),
        None => bail!("{title} {major_min} or newer is missing: install it (package {package}), then run this again"),
    }
}

/// A program that comes in the same folder.
pub(super) fn beside(found: &Found, file: &str) -> Result<PathBuf> {
    let path = found.path.with_file_name(file);
    let real = found.path.canonicalize().context("resolve a program's path")?.with_file_name(file);
    [path, real]
        .into_iter()
        .find(|p| p.exists())
        .with_context(|| format!("{file} is missing beside {}", found.path.display()))
}

fn candidates(file: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let fixed =
        ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"];
    let folders = on_path.into_iter().chain(fixed.map(PathBuf::from)).chain(versioned("/usr/lib/postgresql"));
    folders.map(move |folder| folder.join(file)).filter(|path| path.is_file())
}

/// `/usr/lib/postgresql/15/bin` and its like.
fn versioned(parent: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path().join("bin")).collect()
}

fn version_of(program: &Path) -> Option<String> {
    if program.ends_with("rabbitmq-server") {
        return rabbitmq_version(); // It has no flag for it, and would start.
    }
    let flag = match program.file_name().and_then(|name| name.to_str()) {
        Some("mosquitto") => "-h",
        Some("haproxy") => "-v",
        _ => "--version",
    };
    let output = Command::new(program).arg(flag).output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// As in the name of the folder of its libraries, `rabbitmq_server-3.10.8`.
fn rabbitmq_version() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib/rabbitmq/lib").ok()?;
    let names = folders.flatten().filter_map(|folder| folder.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix("rabbitmq_server-").map(Into::into)).max()
}

/// The first word that begins with a number, with or without `v=` or `v`.
fn version_in(text: &str) -> Option<String> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches("v=").trim_start_matches('v'));
    words.into_iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(Into::into)
}

fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        for (text, version, number) in [
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)", "15.20", 15),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "7.0.15", 7),
            ("mosquitto version 2.0.11\n\nmosquitto is an MQTT", "2.0.11", 2),
            ("nats-server: v2.9.10", "2.9.10", 2),
            ("HAProxy version 2.6.12-1+deb12u4 2026/05/20 - https://haproxy.org/", "2.6.12-1+deb12u4", 2),
            ("postgres (PostgreSQL) 18beta1", "18beta1", 18),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(version));
            assert_eq!(major(version), number);
        }
        assert_eq!(version_in("usage: none"), None);
    }
}
