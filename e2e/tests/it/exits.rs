//! Three egress instances in network namespaces of their own, each with an address of its own to leave from: one is killed
//! under load. Nothing is lost, and the receiver sees the configured addresses alone.

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use posthouse_e2e::{
    client::Client,
    deployment::{probe_client, spec},
    ground::Ground,
    ports,
    role::{Role, RoleSpec, binary},
    sender::send_all,
};
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::world::{eventually, ground, output};

/// Set where the test runs in a network of its own.
const INSIDE: &str = "POSTHOUSE_E2E_NETWORK";
const NAME: &str = "exits::one_of_three_instances_is_killed_under_load_and_nothing_is_lost";
/// A network in which nothing is anybody else's, and a place for the names of further ones.
const NETWORK: &str = r#"mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@""#;
const LIMIT: Duration = Duration::from_secs(240);

const INSTANCES: [u8; 3] = [1, 2, 3];
const KILLED: u8 = 2;
const RECEIVER: &str = "10.99.0.1:8080";
const EVENTS: u64 = 400;
/// Accepted events after which the instance is killed.
const KILLED_AFTER: u64 = 100;

fn listen(instance: u8) -> String {
    format!("10.99.{instance}.2:4750")
}

fn source(instance: u8) -> IpAddr {
    IpAddr::from([10, 99, instance, 3])
}

fn unshared() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", NETWORK, "sh"]);
    command
}

#[tokio::test]
async fn one_of_three_instances_is_killed_under_load_and_nothing_is_lost() {
    if std::env::var_os(INSIDE).is_some() {
        return inside().await;
    }
    let tried = unshared().args(["ip", "netns", "add", "tried"]).output().await;
    if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
        // Past the harness, which shows nothing of a test that passes.
        let why = "NOT RUN: this machine lets us make no network namespaces (that takes root, unshare and ip)";
        writeln!(std::io::stderr(), "\n{NAME}: {why}: {tried:?}\n").unwrap();
        return;
    }
    let mut command = unshared();
    command.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1");
    let said = output(command, LIMIT).await;
    assert!(said.contains("1 passed"), "{said}");
}

async fn ip(arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    output(command, Duration::from_secs(10)).await;
}

/// A namespace for each instance, from which this one is reached, and no other.
async fn lay_cables() {
    ip("address add 10.99.0.1/32 dev lo").await;
    for at in INSTANCES {
        ip(&format!("netns add exit{at}")).await;
        ip(&format!("link add cable{at} type veth peer name eth0 netns exit{at}")).await;
        ip(&format!("address add 10.99.{at}.1/24 dev cable{at}")).await;
        ip(&format!("link set cable{at} up")).await;
        for address in [2, 3] {
            ip(&format!("-netns exit{at} address add 10.99.{at}.{address}/24 dev eth0")).await;
        }
        ip(&format!("-netns exit{at} link set eth0 up")).await;
        ip(&format!("-netns exit{at} route add default via 10.99.{at}.1")).await;
    }
}

/// Passes connections on to the receiver, and notes where they come from.
async fn front(receiver: SocketAddr) -> Arc<Mutex<BTreeSet<IpAddr>>> {
    let listener = TcpListener::bind(RECEIVER).await.unwrap();
    let seen = Arc::<Mutex<BTreeSet<IpAddr>>>::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, client)) = listener.accept().await {
            noted.lock().unwrap().insert(client.ip());
            tokio::spawn(async move {
                let mut behind = TcpStream::connect(receiver).await.unwrap();
                // Either side may break off.
                let _copied = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
            });
        }
    });
    seen
}

fn instance(ground: &Ground, at: u8) -> RoleSpec {
    let namespace = format!("exit{at}");
    let (listen, probe) = (listen(at), format!("10.99.{at}.2:4751"));
    let program = binary(&ground.shared.binaries, "posthouse-egress").unwrap();
    let flags = ["netns", "exec", &namespace, program.to_str().unwrap(), "--listen", &listen, "--probe-listen", &probe];
    let rules = ["--allow", "10.99.0.1/32:8080", "--bind-source", &source(at).to_string()].map(String::from);
    RoleSpec {
        name: format!("egress-{at}"),
        program: "ip".into(),
        arguments: flags.map(String::from).into_iter().chain(rules).collect(),
        environment: Vec::new(),
        probe: probe.parse().unwrap(),
        logs: ground.shared.logs.clone(),
    }
}

async fn started(spec: RoleSpec) -> Role {
    let mut role = Role::spawn(spec).unwrap();
    role.wait_until_ready(&probe_client().unwrap()).await.unwrap();
    role
}

/// Waits until the worker uses the instance, or does not.
async fn wait_until_used(worker: SocketAddr, at: u8, is_used: bool) {
    let http = probe_client().unwrap();
    let line = format!("posthouse_egress_instance_up{{proxy=\"{}\"}} {}", listen(at), u8::from(is_used));
    eventually(Duration::from_secs(30), &line, async || {
        let answer = http.get(format!("http://{worker}/metrics")).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.contains(&line) { Ok(()) } else { Err(text) }
    })
    .await;
}

async fn inside() {
    lay_cables().await;
    let mut ground = ground("it-exits").await;
    let seen = front(ground.receiver_address).await;
    ground.receiver_address = RECEIVER.parse().unwrap();
    let mut instances = Vec::new();
    for at in INSTANCES {
        instances.push(started(instance(&ground, at)).await);
    }
    let (api, board) = (ports::free().unwrap(), ports::free().unwrap());
    let spec = |name: &str| spec(&ground.shared, name, api, board, listen(1).parse().unwrap()).unwrap();
    let _api = started(spec("api")).await;
    let mut worker = spec("worker-1");
    let others = [2, 3].map(|at| format!("http://{}", listen(at))).join(",");
    worker.arguments.extend(["--egress-url".into(), others]);
    let worker = started(worker).await;
    let client = Client::new(&format!("http://{api}"), &ground.tenant.project_id, &ground.tenant.api_key).unwrap();
    let endpoint = ground.endpoint(&client, "a").await.unwrap();

    let accepted = AtomicU64::new(0);
    let endpoints = [endpoint];
    let load = send_all(&client, &endpoints, EVENTS, (4, Duration::from_millis(10)), &accepted);
    let killing = async {
        eventually(Duration::from_secs(60), "events are accepted", async || match accepted.load(Ordering::Relaxed) {
            count if count >= KILLED_AFTER => Ok(()),
            count => Err(count.to_string()),
        })
        .await;
        instances[1].process().kill().unwrap();
        wait_until_used(worker.probe(), KILLED, false).await;
    };
    let (sent, ()) = tokio::join!(load, killing);
    sent.unwrap();
    eventually(Duration::from_secs(90), "every delivery succeeds", async || {
        let deliveries = client.list("eventdeliveries").await.map_err(|error| format!("{error:#}"))?;
        let open: Vec<_> = deliveries.iter().filter(|delivery| delivery["status"] != "Success").collect();
        let is_all = open.is_empty() && deliveries.len() as u64 == EVENTS;
        if is_all {
            Ok(())
        } else {
            Err(format!("{} deliveries, {} open: {:?}", deliveries.len(), open.len(), open.first()))
        }
    })
    .await;
    let received = ground.receiver.ledger().summary("/");
    assert_eq!((received.idempotency_keys as u64, received.webhook_ids as u64), (EVENTS, EVENTS), "{received:?}");
    let configured: BTreeSet<IpAddr> = INSTANCES.map(source).into();
    assert_eq!(*seen.lock().unwrap(), configured, "each was used, and nothing came from elsewhere");
    for at in INSTANCES {
        wait_until_used(worker.probe(), at, at != KILLED).await;
    }
    instances[1].respawn().unwrap();
    wait_until_used(worker.probe(), KILLED, true).await;
}
