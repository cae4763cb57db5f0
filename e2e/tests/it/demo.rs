//! The demo and `up` as their users run them: by exit code, by what they print and write, and by what they leave behind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use posthouse_e2e::{
    client::Client,
    process::{Ending, Process},
    role::{binaries, binary},
};
use rustix::process::Signal;
use serde_json::json;

use crate::world::{eventually, root};

const START_LIMIT: Duration = Duration::from_secs(120);
const NAMES: [&str; 11] = [
    "POSTHOUSE_URL",
    "POSTHOUSE_ORG",
    "POSTHOUSE_PROJECT",
    "POSTHOUSE_API_KEY",
    "POSTHOUSE_PERSONAL_KEY",
    "POSTHOUSE_PIDS",
    "PG_PID",
    "REDIS_PID",
    "REDIS_PORT",
    "DATABASE_URL",
    "REDIS_URL",
];

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(binary(&binaries().unwrap(), "posthouse-demo").unwrap());
    command.arg("--folder").arg(folder).env_remove("DATABASE_URL").env_remove("REDIS_URL");
    command
}

/// A folder of its own: an `up` that somebody runs in this project is left alone.
fn folder(name: &str) -> PathBuf {
    let folder = root().join("data").join(format!("{name}.{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run_env(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(folder.join("run.env")).map_err(|error| error.to_string())?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect())
}

fn processes(env: &BTreeMap<String, String>) -> Vec<String> {
    let ids = ["POSTHOUSE_PIDS", "PG_PID", "REDIS_PID"]
        .map(|name| env[name].split(',').map(Into::into).collect::<Vec<String>>());
    ids.concat()
}

fn is_alive(id: &str) -> bool {
    // A zombie has ended; only its parent's look is missing.
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

async fn assert_all_end(ids: &[String]) {
    eventually(Duration::from_secs(20), "all processes end", async || {
        let alive: Vec<_> = ids.iter().filter(|id| is_alive(id)).collect();
        if alive.is_empty() { Ok(()) } else { Err(format!("alive: {alive:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_demo_shows_every_case_and_leaves_nothing_behind() {
    let folder = folder("it-demo");
    let output: Output =
        tokio::process::Command::from(demo(&folder)).arg("demo").stderr(Stdio::piped()).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for row in [
        ["order.paid", "REST", "Success", "yes"],
        ["order.paid", "REST", "Duplicate", "-"],
        ["invoice.created", "REST", "Success", "yes"],
        ["stock.low", "REST", "Success", "yes"],
        ["audit.requested", "REST", "Failure", "refused by egress"],
        ["report.draft", "REST", "Unmatched", "-"],
        ["sensor.read", "MQTT", "Success", "yes"],
    ] {
        let is_there = text.lines().any(|line| row.iter().all(|cell| line.contains(cell)));
        assert!(is_there, "no line has {row:?}:\n{text}");
    }
    assert_all_end(&processes(&run_env(&folder).unwrap())).await;
    fs::remove_dir_all(folder).unwrap();
}

/// `up --bare`, ready to be attached to.
async fn up_bare(folder: &Path) -> (Process, BTreeMap<String, String>) {
    let mut command = demo(folder);
    command.args(["up", "--bare", "--project", "bare"]);
    let ending = Ending { signal: Signal::INT, orphan_signal: "TERM", limit: Duration::from_secs(60) };
    let mut up = Process::start("up", command, &folder.join("up.log"), ending).unwrap();
    let env = eventually(START_LIMIT, "run.env is written", async || {
        up.check_alive().unwrap();
        run_env(folder)
    })
    .await;
    (up, env)
}

#[tokio::test]
async fn a_bare_system_can_be_attached_to_and_ends_with_ctrl_c() {
    let folder = folder("it-up");
    let (mut up, env) = up_bare(&folder).await;
    for name in NAMES {
        assert!(env.get(name).is_some_and(|value| !value.is_empty()), "{name} is missing in {env:?}");
    }
    let client = Client::new(&env["POSTHOUSE_URL"], &env["POSTHOUSE_PROJECT"], &env["POSTHOUSE_API_KEY"]).unwrap();
    assert_eq!(client.list("endpoints").await.unwrap(), Vec::<serde_json::Value>::new());
    let endpoint = json!({"name": "mine", "url": "http://127.0.0.1:9/"});
    assert_eq!(client.post("endpoints", &endpoint).await.unwrap().status, 201);
    let ids = processes(&env);
    assert!(ids.len() == 9 && ids.iter().all(|id| is_alive(id)), "{ids:?}");
    let status = up.stop().await.unwrap();
    assert!(status.success(), "{}", up.log().unwrap());
    assert_all_end(&ids).await;
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn nothing_survives_a_killed_up() {
    let folder = folder("it-up-killed");
    let (mut up, env) = up_bare(&folder).await;
    let ids = processes(&env);
    up.kill().unwrap();
    assert_all_end(&ids).await;
    fs::remove_dir_all(folder).unwrap();
}
