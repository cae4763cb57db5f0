//! A private PostgreSQL: a fresh cluster with a password of its own, by TCP only.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rustix::process::Signal;
use tokio::process::Command;

use super::{
    READY_LIMIT, READY_POLL,
    account::Place,
    find::{Found, Program, beside, require},
};
use crate::{
    ports,
    process::{Ending, Process},
};

/// SIGINT is PostgreSQL's fast shutdown: clients are cut off, everything is written.
const ENDING: Ending = Ending { signal: Signal::INT, orphan_signal: "INT", limit: Duration::from_secs(30) };
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=256MB",
    "max_connections=200",
    "logging_collector=off",
];

/// What a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: PostgreSQL's defaults.
    Full,
    /// Everything. For tests, whose data ends with them; a killed process still loses nothing.
    Relaxed,
}

/// What a server needs to speak TLS, in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// Its certificate.
    pub certificate: String,
    /// Its certificate's key.
    pub key: String,
    /// The authority whose certificates it takes from clients.
    pub client_authority: String,
}

/// A running private PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    // First, so that it has ended when its place is removed.
    process: Process,
    place: Place,
    program: Found,
    data: PathBuf,
    port: u16,
    password: String,
    durability: Durability,
    /// Further ones, which go before ours.
    settings: Vec<String>,
}

impl Postgres {
    /// Creates a cluster in `place` and starts it.
    ///
    /// # Errors
    /// PostgreSQL is missing or does not come up; the text has the end of its log.
    pub async fn start(place: Place, durability: Durability) -> Result<Self> {
        Self::start_with(place, durability, |_, _| Ok(Vec::new())).await
    }

    /// The same for a server that other hosts reach as well, with the password.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_in_networks(place: Place, durability: Durability) -> Result<Self> {
        Self::start_with(place, durability, |_, data| open(data)).await
    }

    /// The same for a server that offers TLS, and lets in whom the lines `rules` of its `pg_hba.conf` say.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_encrypted(place: Place, certificates: &Certificates, rules: &str) -> Result<Self> {
        Self::start_with(place, Durability::Relaxed, |place, data| encrypt(place, data, certificates, rules)).await
    }

    /// `prepare` may change the new cluster's files, and gives settings.
    async fn start_with(
        place: Place,
        durability: Durability,
        prepare: impl FnOnce(&Place, &Path) -> Result<Vec<String>>,
    ) -> Result<Self> {
        let program = require(Program::POSTGRES)?;
        let data = place.folder("postgres")?;
        let password: String = hex::encode(rand::rng().random::<[u8; 16]>());
        initialize(&place, &program, &data, &password, durability).await?;
        let settings = prepare(&place, &data)?;
        let port = ports::free()?.port();
        let process = launch(&place, &program, &data, port, durability, &settings)?;
        let mut postgres = Self { place, program, data, port, password, durability, settings, process };
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    /// The URL of a database, for its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_at(Ipv4Addr::LOCALHOST, database)
    }

    /// The same by another address of this machine.
    #[must_use]
    pub fn url_at(&self, address: Ipv4Addr, database: &str) -> String {
        format!("postgres://postgres:{}@{address}:{}/{database}", self.password, self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of its superuser `postgres`.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The postmaster's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Such as `15.20`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// The process, to see whether it lives.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// It exists, or the server is down.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let output = self.client("createdb")?.arg(name).output().await.context("run createdb")?;
        if !output.status.success() {
            bail!("createdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Stops it as an operator would; the data stays.
    ///
    /// # Errors
    /// It does not end in its time.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await.map(|_| ())
    }

    /// Starts it again on the same data and port.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn resume(&mut self) -> Result<()> {
        self.process = launch(&self.place, &self.program, &self.data, self.port, self.durability, &self.settings)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let output = self.client("pg_isready")?.output().await.context("run pg_isready")?;
            if output.status.success() {
                return Ok(());
            }
            self.process.check_alive()?;
            if start.elapsed() > READY_LIMIT {
                bail!(
                    "PostgreSQL does not answer after {READY_LIMIT:?}; the end of its log:\n{}",
                    self.process.log_tail()
                );
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    fn client(&self, file: &str) -> Result<Command> {
        let mut command = Command::new(beside(&self.program, file)?);
        command
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p"])
            .arg(self.port.to_string())
            .env("PGPASSWORD", &self.password);
        Ok(command)
    }
}

async fn initialize(place: &Place, program: &Found, data: &Path, password: &str, durability: Durability) -> Result<()> {
    let password_file = place.write("postgres.password", password)?;
    let mut command = place.command(&beside(program, "initdb")?, ENDING);
    command
        .args(["-U", "postgres", "-A", "password", "-E", "UTF8", "--locale=C", "-D"])
        .arg(data)
        .arg("--pwfile")
        .arg(&password_file);
    if durability == Durability::Relaxed {
        command.arg("--no-sync");
    }
    let output = Command::from(command).kill_on_drop(true).output().await.context("run initdb")?;
    fs::remove_file(password_file).context("remove the password file")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Lets in every host of the networks that the machine is in.
fn open(data: &Path) -> Result<Vec<String>> {
    let rules = data.join("pg_hba.conf");
    let known = fs::read_to_string(&rules).context("read pg_hba.conf")?;
    fs::write(&rules, format!("{known}\nhost all all samenet password\n")).context("write pg_hba.conf")?;
    Ok(vec!["listen_addresses=*".into()])
}

/// Writes what it takes, and gives the settings that name it.
fn encrypt(place: &Place, data: &Path, certificates: &Certificates, rules: &str) -> Result<Vec<String>> {
    // The file is there already, and stays its owner's.
    fs::write(data.join("pg_hba.conf"), rules).context("write pg_hba.conf")?;
    let files = [
        ("ssl_cert_file", "postgres.crt", &certificates.certificate),
        ("ssl_key_file", "postgres.key", &certificates.key),
        ("ssl_ca_file", "clients.crt", &certificates.client_authority),
    ];
    let mut settings = vec!["ssl=on".to_owned()];
    for (setting, name, text) in files {
        settings.push(format!("{setting}={}", place.write(name, text)?.display()));
    }
    Ok(settings)
}

fn launch(
    place: &Place,
    program: &Found,
    data: &Path,
    port: u16,
    durability: Durability,
    settings: &[String],
) -> Result<Process> {
    let mut command = place.command(&beside(program, "postgres")?, ENDING);
    command.arg("-D").arg(data).arg("-p").arg(port.to_string());
    for setting in SETTINGS.into_iter().chain(settings.iter().map(String::as_str)) {
        command.args(["-c", setting]);
    }
    if durability == Durability::Relaxed {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    Process::start("PostgreSQL", command, &place.log("postgres"), ENDING)
}
