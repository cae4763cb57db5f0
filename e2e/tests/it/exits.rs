//! Three egress instances in network namespaces of their own, each with an address of its own to leave from: one is killed
//! under load. Nothing is lost, and the receiver sees the configured addresses alone.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use posthouse_e2e::{
    client::Client,
    deployment::{Places, probe_client, spec_at},
    ground::Ground,
    network::{Host, Switch},
    ports,
    role::{Role, RoleSpec},
    sender::send_all,
};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{eventually, ground, in_own_network};

const NAME: &str = "exits::one_of_three_instances_is_killed_under_load_and_nothing_is_lost";
const LIMIT: Duration = Duration::from_secs(240);

const INSTANCES: [u8; 3] = [1, 2, 3];
const KILLED: u8 = 2;
const RECEIVER_PORT: u16 = 8080;
const EVENTS: u64 = 400;
/// Accepted events after which the instance is killed.
const KILLED_AFTER: u64 = 100;

fn listen(lan: &Switch, instance: u8) -> SocketAddr {
    (lan.address_of(10 + instance), 4750).into()
}

#[tokio::test]
async fn one_of_three_instances_is_killed_under_load_and_nothing_is_lost() {
    in_own_network(NAME, LIMIT, Box::pin(inside())).await;
}

/// Passes connections on to the receiver, and notes where they come from.
async fn front(address: SocketAddr, receiver: SocketAddr) -> Arc<Mutex<BTreeSet<IpAddr>>> {
    let listener = TcpListener::bind(address).await.unwrap();
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

/// An egress on a host of its own, which leaves from another address than it listens at.
async fn instance(ground: &Ground, lan: &Switch, at: u8) -> (RoleSpec, IpAddr) {
    let host = Host::new(&format!("exit{at}")).await.unwrap();
    // A cable that nobody pulls stays.
    let _cable = host.join(lan, 10 + at).await.unwrap();
    let source = host.address(lan, 20 + at).await.unwrap();
    let listen = listen(lan, at);
    let places = Places { probe: (listen.ip(), 4751).into(), api: listen, board: listen, egress: vec![listen] };
    let mut spec = spec_at(&ground.shared, &format!("egress-{at}"), &places).unwrap();
    spec.arguments.extend(["--bind-source".into(), source.to_string()]);
    (host.runs(spec), source)
}

async fn started(spec: RoleSpec) -> Role {
    let mut role = Role::spawn(spec).unwrap();
    role.wait_until_ready(&probe_client().unwrap()).await.unwrap();
    role
}

/// Waits until the worker uses the instance, or does not.
async fn wait_until_used(worker: SocketAddr, instance: SocketAddr, is_used: bool) {
    let http = probe_client().unwrap();
    let line = format!("posthouse_egress_instance_up{{proxy=\"{instance}\"}} {}", u8::from(is_used));
    eventually(Duration::from_secs(30), &line, async || {
        let answer = http.get(format!("http://{worker}/metrics")).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if text.contains(&line) { Ok(()) } else { Err(text) }
    })
    .await;
}

async fn inside() {
    let lan = Switch::new("lan", 99).await.unwrap();
    let mut ground = ground("it-exits").await;
    let address = SocketAddr::from((lan.address(), RECEIVER_PORT));
    let seen = front(address, ground.receiver_address).await;
    ground.receiver_address = address;
    ground.shared.egress_allow = vec![format!("{}/32:{RECEIVER_PORT}", lan.address())];
    let (mut instances, mut configured) = (Vec::new(), BTreeSet::new());
    for at in INSTANCES {
        let (spec, source) = instance(&ground, &lan, at).await;
        instances.push(started(spec).await);
        configured.insert(source);
    }
    let (api, board) = (ports::free().unwrap(), ports::free().unwrap());
    let egress = INSTANCES.map(|at| listen(&lan, at)).to_vec();
    let spec = |name: &str| {
        let places = Places { probe: ports::free().unwrap(), api, board, egress: egress.clone() };
        spec_at(&ground.shared, name, &places).unwrap()
    };
    let _api = started(spec("api")).await;
    let worker = started(spec("worker-1")).await;
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
        wait_until_used(worker.probe(), listen(&lan, KILLED), false).await;
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
    assert_eq!(*seen.lock().unwrap(), configured, "each was used, and nothing came from elsewhere");
    for at in INSTANCES {
        wait_until_used(worker.probe(), listen(&lan, at), at != KILLED).await;
    }
    instances[1].respawn().unwrap();
    wait_until_used(worker.probe(), listen(&lan, KILLED), true).await;
}
