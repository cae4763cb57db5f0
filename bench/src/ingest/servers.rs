//! The brokers of the measurement, on loopback and with what they come with: only bounds on what they keep for somebody who is
//! not connected are taken away.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use posthouse_e2e::ports;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::Case;

const START_LIMIT: Duration = Duration::from_secs(120);
/// What is read there, under whatever name the broker has for it.
pub const PLACE: &str = "bench";

/// A broker that runs until this is dropped.
pub struct Server {
    pub port: u16,
    case: Case,
    _processes: Vec<Child>,
}

impl Server {
    /// An empty one that keeps its data below `folder`.
    pub async fn start(case: Case, folder: &Path, kafka_jars: &Path) -> Result<Self> {
        let folder = folder.join(format!("{case:?}").to_lowercase());
        std::fs::create_dir_all(&folder).context("make the broker's folder")?;
        let port = ports::free()?.port();
        let processes = match case {
            Case::Mqtt => vec![mosquitto(&folder, port)?],
            Case::Amqp => rabbitmq(&folder, port).await?,
            Case::Kafka => vec![kafka(&folder, port, kafka_jars).await?],
            Case::Nats => vec![nats(&folder, port)?],
            Case::Redis => vec![redis(&folder, port)?],
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(began.elapsed() < START_LIMIT, "{case:?} does not start");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { port, case, _processes: processes })
    }

    /// `pub_sub` of a source that reads it.
    pub fn source(&self) -> Value {
        let port = self.port;
        let (kind, settings) = match self.case {
            Case::Mqtt => ("mqtt", json!({"host": "127.0.0.1", "port": port, "topic": PLACE, "qos": 1})),
            Case::Amqp => ("amqp", json!({"host": "127.0.0.1", "port": port.to_string(), "queue": PLACE})),
            Case::Kafka => ("kafka", json!({"brokers": [format!("127.0.0.1:{port}")], "topic_name": PLACE})),
            Case::Nats => ("nats", json!({"servers": [format!("nats://127.0.0.1:{port}")], "stream": PLACE})),
            Case::Redis => ("redis", json!({"host": "127.0.0.1", "port": port, "stream": PLACE})),
        };
        json!({"type": kind, "workers": 1, kind: settings})
    }
}

fn mosquitto(folder: &Path, port: u16) -> Result<Child> {
    let lines = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
         log_dest none\nmax_queued_messages 0\n",
        folder.display()
    );
    let conf = write(folder, "conf", &lines)?;
    spawn(Command::new(find("mosquitto")?).arg("-c").arg(conf))
}

async fn rabbitmq(folder: &Path, port: u16) -> Result<Vec<Child>> {
    let (node_port, names_port) = (ports::free()?.port().to_string(), ports::free()?.port().to_string());
    let path = folder.display();
    let conf = write(folder, "rabbitmq.conf", &format!("listeners.tcp.1 = 127.0.0.1:{port}\nlog.file = {path}/log\n"))?;
    let plugins = write(folder, "plugins", "[].")?;
    let names = spawn(Command::new(find("epmd")?).args(["-address", "127.0.0.1", "-port", &names_port]))?;
    sleep(Duration::from_millis(500)).await;
    let server = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    ensure!(server.is_file(), "RabbitMQ is not installed: ./just services");
    let mut command = Command::new(server);
    command
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", &names_port)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "posthouse-bench@localhost")
        .env("RABBITMQ_DIST_PORT", node_port)
        .env("RABBITMQ_CONFIG_FILE", conf)
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
        .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("generated"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("logs"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-setcookie posthouse")
        // So that the program becomes the server instead of starting it and waiting.
        .env("NOTIFY_SOCKET", folder.join("nobody-listens"));
    Ok(vec![spawn(&mut command)?, names])
}

async fn kafka(folder: &Path, port: u16, jars: &Path) -> Result<Child> {
    ensure!(jars.is_dir(), "{} is not there: ./just kafka", jars.display());
    let (control, path) = (ports::free()?.port(), folder.display());
    let lines = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{control}\n\
         controller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.dirs={path}/data\n\
         offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n"
    );
    let properties = write(folder, "properties", &lines)?;
    let java = |program: &str| -> Result<Command> {
        let mut command = Command::new(find("java")?);
        command.args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp"]).arg(jars.join("*")).arg(program);
        command.current_dir(folder);
        Ok(command)
    };
    let mut format = java("kafka.tools.StorageTool")?;
    format.args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"]).arg(&properties);
    ensure!(spawn(&mut format)?.wait().await?.success(), "Kafka's storage cannot be made");
    spawn(java("kafka.Kafka")?.arg(properties))
}

fn nats(folder: &Path, port: u16) -> Result<Child> {
    let path = folder.display();
    let conf =
        write(folder, "conf", &format!("host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{path}/data\" }}\n"))?;
    spawn(Command::new(find("nats-server")?).arg("-c").arg(conf))
}

fn redis(folder: &Path, port: u16) -> Result<Child> {
    let port = port.to_string();
    let options = ["--bind", "127.0.0.1", "--port", &port, "--appendonly", "yes", "--dir"];
    spawn(Command::new(find("redis-server")?).args(options).arg(folder))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

fn spawn(command: &mut Command) -> Result<Child> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.kill_on_drop(true).spawn().context("start a broker")
}

/// A program of the system, also where distributions put daemons.
fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    match found {
        Some(program) => Ok(program),
        None => bail!("{name} is not installed: ./just services"),
    }
}
