//! Queues over TLS: one server, a Cluster and a Sentinel, with certificates for 127.0.0.1.

use std::{error::Error, fs, time::Instant};

use posthouse_jobs::{
    Queues,
    queue::{QueueError, testing::free_port},
};
use posthouse_service::settings::RedisSettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::{
    redis_server::RedisServer,
    topology::{cluster_settings, join},
    world::{PATIENCE, Seen, Worker, is_empty, settings, until, work},
};

/// The files of an authority: its own, those of a server at 127.0.0.1, and of a client.
fn certificates() -> TempDir {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // OpenSSL knows authorities by their names.
    params.distinguished_name.push(DnType::CommonName, ulid::Ulid::generate().to_string());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    for (file, name) in [("server", "127.0.0.1"), ("client", "posthouse")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.signed_by(&key, &authority).unwrap();
        fs::write(folder.path().join(format!("{file}.pem")), cert.pem()).unwrap();
        fs::write(folder.path().join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
    folder
}

fn settings_of(url: &str, files: &TempDir) -> RedisSettings {
    RedisSettings {
        redis_url: url.into(),
        redis_prefix: "encrypted".into(),
        redis_ca_file: Some(files.path().join("ca.pem")),
        redis_tls_cert: None,
        redis_tls_key: None,
    }
}

/// Queues on a Redis that is still starting.
async fn open(settings: &RedisSettings) -> Queues {
    let began = Instant::now();
    loop {
        match Queues::open(settings).await {
            Ok(queues) => return queues,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}: {:?}", error.source()),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Why there is no connection, with the causes.
async fn refusal(settings: &RedisSettings) -> String {
    let Err(error) = Queues::open(settings).await else { panic!("a connection was made") };
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

/// A job goes through, for which a worker has to be woken.
async fn carries(queues: &Queues) {
    let mut idle = settings();
    idle.poll = std::time::Duration::from_mins(1);
    let seen = Seen::default();
    let worker = Worker::noting(queues, idle, &seen);
    until("a worker", async || queues.view("work").workers().await.unwrap().len() == 1).await;
    queues.push_all(&(0..100).map(work).collect::<Vec<_>>()).await.unwrap();
    seen.reach(100).await;
    until("an empty queue", async || is_empty(queues).await).await;
    queues.push(&work(100)).await.unwrap();
    seen.reach(101).await;
    worker.stop().await;
    assert!(queues.servers().await.unwrap().iter().all(|server| server.is_encrypted && server.is_local));
}

#[tokio::test]
async fn a_server_is_taken_at_its_authoritys_word_alone() {
    let (files, others, port) = (certificates(), certificates(), free_port());
    let server = RedisServer::encrypted(files.path(), port, &[]);
    let url = format!("rediss://127.0.0.1:{port}");
    carries(&open(&settings_of(&url, &files)).await).await;
    for (settings, part) in [
        (settings_of(&url, &others), "UnknownIssuer"),
        (RedisSettings { redis_ca_file: None, ..settings_of(&url, &files) }, "UnknownIssuer"),
        (settings_of(&format!("rediss://localhost:{port}"), &files), "not valid for name"),
        (settings_of(&format!("rediss://127.0.0.1:{}", server.port), &files), "Redis did not"),
    ] {
        let refusal = refusal(&settings).await;
        assert!(refusal.contains(part), "{settings:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_server_may_ask_for_a_certificate() {
    let (files, others, port) = (certificates(), certificates(), free_port());
    let _server = RedisServer::encrypted(files.path(), port, &["--tls-auth-clients", "yes"]);
    let known = |files: &TempDir, of: &TempDir| RedisSettings {
        redis_tls_cert: Some(of.path().join("client.pem")),
        redis_tls_key: Some(of.path().join("client.key")),
        ..settings_of(&format!("rediss://127.0.0.1:{port}"), files)
    };
    carries(&open(&known(&files, &files)).await).await;
    for settings in [known(&files, &others), settings_of(&format!("rediss://127.0.0.1:{port}"), &files)] {
        assert!(matches!(Queues::open(&settings).await, Err(QueueError::Redis(_) | QueueError::Timeout(_))));
    }
    let absent = RedisSettings { redis_tls_key: Some("/absent.key".into()), ..known(&files, &files) };
    assert!(refusal(&absent).await.contains("/absent.key cannot be read"));
    let half = RedisSettings { redis_tls_key: None, ..known(&files, &files) };
    assert!(refusal(&half).await.contains("go together"));
    let no_authority = RedisSettings { redis_ca_file: Some(files.path().join("client.key")), ..known(&files, &files) };
    assert!(refusal(&no_authority).await.contains("no certificate"));
    let plain = settings_of(&format!("redis://127.0.0.1:{port}"), &files);
    assert!(refusal(&plain).await.contains("rediss"), "files that do nothing are no encryption");
}

#[tokio::test]
async fn a_cluster_speaks_tls_with_every_node() {
    let files = certificates();
    let servers = [(); 3].map(|()| {
        let (port, bus) = (free_port(), free_port());
        (RedisServer::encrypted(files.path(), port, &cluster_settings(&bus.to_string())), port, bus)
    });
    let nodes: Vec<String> = servers.iter().map(|(_, port, _)| format!("127.0.0.1:{port}")).collect();
    let _servers = join(servers).await;
    carries(&open(&settings_of(&format!("rediss+cluster://{}", nodes.join(",")), &files)).await).await;
}

#[tokio::test]
async fn sentinels_and_their_master_speak_tls() {
    let (files, port, sentinel_port) = (certificates(), free_port(), free_port());
    let _master = RedisServer::encrypted(files.path(), port, &[]);
    let _sentinel = RedisServer::encrypted_sentinel(files.path(), sentinel_port, port);
    let url = format!("rediss+sentinel://127.0.0.1:{sentinel_port}/orders");
    carries(&open(&settings_of(&url, &files)).await).await;
}
