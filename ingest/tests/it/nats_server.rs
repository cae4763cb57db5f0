//! A NATS server of the test's own, with JetStream in its own folder.

use std::fmt::Write as _;

use async_nats::{
    Client, ConnectOptions,
    jetstream::{self, stream},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    authority::Authority,
    conformance::{RIGHT, TestBroker, USER},
    program::{SOON, answers, eventually, find, free_port, spawn, terminate},
};

pub struct NatsServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl NatsServer {
    /// One that encrypts for those who want it.
    pub async fn encrypted(authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate("127.0.0.1");
        let lines = "allow_non_tls: true\ntls { cert_file: \"{folder}/certificate\", key_file: \"{folder}/key\" }\n";
        Self::start_with(lines, &[("certificate", &certificate), ("key", &key)]).await
    }

    async fn start_with(lines: &str, files: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let path = folder.path().display().to_string();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut configuration = format!(
            "host: 127.0.0.1\nport: {port}\nlog_file: \"{path}/log\"\njetstream {{ store_dir: \"{path}/data\" }}\n\
             authorization {{ user: {USER}, password: {RIGHT} }}\n"
        );
        write!(configuration, "{}", lines.replace("{folder}", &path)).unwrap();
        std::fs::write(folder.path().join("conf"), configuration).unwrap();
        let child = Self::run(port, &folder).await;
        Self { port, folder, child }
    }

    async fn run(port: u16, folder: &TempDir) -> Child {
        let child = spawn(Command::new(find("nats-server")).arg("-c").arg(folder.path().join("conf")));
        eventually("NATS listens", SOON, async || answers(port).await).await;
        child
    }

    pub fn tls_port(&self) -> u16 {
        self.port
    }

    /// A client of ours.
    pub async fn client(port: u16) -> Result<Client, String> {
        let options = ConnectOptions::with_user_and_password(USER.to_owned(), RIGHT.to_owned());
        options.connect(url(port)).await.map_err(|error| error.to_string())
    }
}

fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

impl TestBroker for NatsServer {
    const KIND: &'static str = "nats";

    async fn start() -> Self {
        Self::start_with("", &[]).await
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn source(&self, place: &str, port: u16, password: &str) -> Value {
        json!({"type": "nats", "workers": 1, "nats": {"servers": [url(port)], "stream": place,
            "auth": {"username": USER, "password": password}, "redeliver_after_seconds": 3}})
    }

    async fn make(port: u16, place: &str) {
        let context = jetstream::new(Self::client(port).await.unwrap());
        let config = stream::Config {
            name: place.to_owned(),
            subjects: vec![place.to_owned(), format!("{place}.>")],
            ..stream::Config::default()
        };
        context.create_stream(config).await.unwrap();
    }

    async fn try_publish(port: u16, place: &str, bodies: &[String]) -> Result<(), String> {
        let context = jetstream::new(Self::client(port).await?);
        let mut confirmations = Vec::new();
        for body in bodies {
            let sent = context.publish(place.to_owned(), body.clone().into()).await;
            confirmations.push(sent.map_err(|error| error.to_string())?);
        }
        for confirmation in confirmations {
            confirmation.await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn stop(&mut self) {
        terminate(&mut self.child).await;
    }

    async fn resume(&mut self) {
        self.child = Self::run(self.port, &self.folder).await;
    }
}
