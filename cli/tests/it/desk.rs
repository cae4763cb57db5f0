//! A running deployment, and the tool as somebody uses it who has only its API.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use posthouse_e2e::{client::Client, deployment::Deployment, ground::Ground, services::Durability};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Desk {
    pub deployment: Deployment,
    pub client: Client,
    pub ground: Ground,
    folder: tempfile::TempDir,
}

impl Desk {
    pub async fn start(name: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.posthouse");
        let ground = Ground::start(&root, name, Durability::Relaxed).await.unwrap();
        let (deployment, client) = ground.roles().await.unwrap();
        Self { deployment, client, ground, folder: tempfile::tempdir().unwrap() }
    }

    pub async fn stop(self) {
        self.deployment.stop().await.unwrap();
        self.ground.stage.stop().await.unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.deployment.api)
    }

    pub fn profiles_file(&self) -> PathBuf {
        self.folder.path().join("posthouse/profiles.toml")
    }

    /// The tool, which knows nothing but where its profiles are.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command.env("POSTHOUSE_PROFILES_FILE", self.profiles_file());
        command
    }

    /// Runs it with this on standard input.
    pub async fn run_with(&self, args: &[&str], input: &str) -> Output {
        run(self.command(args), input).await
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "").await
    }

    /// Runs it with `--json`, and expects this exit code.
    pub async fn json(&self, args: &[&str], code: i32) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        let output = self.run(&args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Runs it, expects it to fail with this code, and gives its complaint.
    pub async fn complaint(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts it, and waits until it says on standard error that it is at work.
    pub async fn watching(&self, args: &[&str]) -> Watching {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
        let note = timeout(PATIENCE, notes.next_line()).await.unwrap().unwrap().unwrap();
        assert!(note.contains("Ctrl-C"), "{note}");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watching { child, lines }
    }

    /// Makes an endpoint at a path of the receiver, and subscribes it with this many attempts.
    pub async fn endpoint(&self, path: &str, event_type: &str, attempts: u32) -> String {
        let url = format!("http://{}{path}", self.ground.receiver_address);
        let made = self.json(&["endpoint", "create", &url, "--name", path], 0).await;
        let id = made["uid"].as_str().unwrap().to_string();
        let subscription = serde_json::json!({
            "name": path, "endpoint_id": id, "filter_config": {"event_types": [event_type]},
            "retry_config": {"type": "linear", "duration": "1s", "retry_count": attempts},
        });
        self.client.create("subscriptions", &subscription).await.unwrap();
        id
    }
}

/// The tool without any setting of the one who runs the tests.
pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.env_clear().env("HOME", "/no/such/home").args(args).kill_on_drop(true);
    command
}

/// Runs it with this on standard input.
pub async fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

/// A command that goes on until it is told to stop.
pub struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    /// The next line of its answer.
    pub async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap()
    }

    /// The next line as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await.unwrap()).unwrap()
    }

    /// Waits for its end by itself.
    pub async fn end(mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }

    /// Presses Ctrl-C, and waits for its end.
    pub async fn interrupt(self) -> Option<i32> {
        let id = rustix::process::Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        self.end().await
    }
}
