//! Every role over TLS: PostgreSQL by `verify-full`, Redis and egress, each of which asks for a certificate. Events go through,
//! and nothing else than TLS is spoken.

use std::time::Duration;

use posthouse_e2e::{
    database::Database,
    deployment::{Deployment, Shared, probe_client, spec},
    ground::Ground,
    ports,
    role::Role,
    sender::{event, send},
    services::{Access, Durability},
    stage::DATABASE,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{World, root};

const EVENTS: usize = 40;
const LIMIT: Duration = Duration::from_secs(90);

/// Clients of Redis by the port that they came to, ours left out; asked for in the clear, on the other port.
async fn redis_clients(port: u16) -> Vec<u16> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(b"CLIENT LIST\r\n").await.unwrap();
    let mut said = String::new();
    // As long as its first line says: `$LENGTH`.
    let is_whole = |said: &str| {
        let parts = said.split_once("\r\n");
        parts.is_some_and(|(length, rest)| rest.len() >= length.trim_start_matches('$').parse::<usize>().unwrap())
    };
    while !is_whole(&said) {
        let mut part = [0; 4096];
        let read = connection.read(&mut part).await.unwrap();
        said.push_str(std::str::from_utf8(&part[..read]).unwrap());
    }
    let others = said.lines().filter(|line| line.contains(" laddr=") && !line.contains(" cmd=client"));
    let near_end = |line: &str| line.split(' ').find_map(|word| word.strip_prefix("laddr=")).unwrap().to_owned();
    others.map(|line| near_end(line).rsplit(':').next().unwrap().parse().unwrap()).collect()
}

/// Connections of roles to PostgreSQL, and those of them without TLS or without the roles' certificate.
async fn database_connections(ground: &Ground) -> (i64, i64) {
    let postgres = ground.stage.postgres.as_ref().unwrap();
    let database = Database::open(&postgres.url("postgres")).await.unwrap();
    let statement = "SELECT count(*), count(*) FILTER (WHERE NOT ssl OR client_dn IS DISTINCT FROM '/CN=posthouse') \
        FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = $1";
    let row = database.client.query_one(statement, &[&DATABASE]).await.unwrap();
    database.close().await.unwrap();
    (row.get(0), row.get(1))
}

/// What a worker counts of egress, whose metrics name every instance by its authority.
async fn uses_egress(deployment: &mut Deployment) -> bool {
    let worker = deployment.role("worker-1").unwrap().probe();
    let answer = probe_client().unwrap().get(format!("http://{worker}/metrics")).send().await.unwrap();
    let line = format!("posthouse_egress_instance_up{{proxy=\"{}\"}} 1", deployment.egress);
    answer.text().await.unwrap().contains(&line)
}

/// A role that is told to do without TLS is told why it cannot start.
async fn assert_refused(shared: Shared, part: &str) {
    let unused = ports::free().unwrap();
    let mut role = Role::spawn(spec(&shared, "scheduler", unused, unused, unused).unwrap()).unwrap();
    let status = role.process().wait(LIMIT).await.unwrap();
    let said = role.process().log_tail();
    assert!(status.code() == Some(1) && said.contains(part), "{status}: {said}");
}

#[tokio::test]
async fn every_role_speaks_tls_with_everything_and_events_are_delivered() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let ground = Ground::start_for(Access::Encrypted, &root(), "it-encrypted", Durability::Relaxed).await.unwrap();
    let (mut deployment, client) = ground.roles().await.unwrap();
    let endpoint = ground.endpoint(&client, "a").await.unwrap();
    for number in 0..EVENTS {
        send(&client, &event(&endpoint, &format!("event-{number}"))).await.unwrap();
    }
    assert!(uses_egress(&mut deployment).await);
    let world = World { deployment, client, ground };
    world.wait_for_successes(EVENTS, LIMIT).await;
    let received = world.received();
    assert_eq!((received.idempotency_keys, received.unverified), (EVENTS, 0), "{received:?}");

    let (connections, others) = database_connections(&world.ground).await;
    assert!(connections >= 4 && others == 0, "{others} of {connections} connections are not as they should be");
    let redis = world.ground.stage.redis.as_ref().unwrap();
    let ports = redis_clients(redis.port()).await;
    let tls_port = redis.tls_port().unwrap();
    assert!(ports.len() >= 4 && ports.iter().all(|port| *port == tls_port), "{ports:?}, not {tls_port}");

    let apart = |name: &str| Shared { logs: world.ground.shared.logs.join(name), ..world.ground.shared.clone() };
    let plain = world.ground.stage.postgres.as_ref().unwrap().url(DATABASE);
    let no_tls = format!("{plain}?sslmode=disable");
    let authority = world.ground.stage.encryption.as_ref().unwrap().file("authority.pem");
    let no_name = format!("{plain}?sslmode=verify-full&sslrootcert={authority}");
    tokio::join!(
        assert_refused(Shared { database_url: no_tls, ..apart("no-tls") }, "no pg_hba.conf entry"),
        assert_refused(Shared { database_url: no_name, ..apart("no-name") }, "client certificate"),
        assert_refused(Shared { extra: Vec::new(), ..apart("no-authority") }, "UnknownIssuer"),
    );
    world.stop().await;
}
