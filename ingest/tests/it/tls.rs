//! Encrypted connections: a broker's certificate is checked against the authority of the source's settings.

use posthouse_ingest::{
    broker::{Problem, Step},
    connection_test,
};
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    broker::{Broker, numbered},
    conformance::{RIGHT, TestBroker, feed_source, publish},
    kafka_server::KafkaServer,
    nats_server::NatsServer,
    program::SOON,
    pubsub_server::PubSubServer,
    rabbitmq::RabbitMq,
    redis_streams::StreamServer,
    sqs_server::SqsServer,
    world::World,
};

/// A broker that shows a certificate for `name`.
async fn mosquitto(authority: &Authority, name: &str) -> Broker {
    let (certificate, key) = authority.certificate(name);
    let lines = "allow_anonymous true\ncertfile {folder}/certificate\nkeyfile {folder}/key\n";
    Broker::start_with(lines, &[("certificate", &certificate), ("key", &key)]).await
}

fn tls(broker: &Broker, ca_certificate: Option<&str>) -> Value {
    broker.source_with("t", &json!({"tls": true, "ca_certificate": ca_certificate}))
}

#[tokio::test]
async fn only_a_broker_with_a_trusted_certificate_is_read() {
    let (authority, world) = (Authority::new(), World::new().await);
    let (right, misnamed) = (mosquitto(&authority, "127.0.0.1").await, mosquitto(&authority, "broker.example").await);
    let trusting = world.source(&tls(&right, Some(&authority.pem))).await;
    let by_public_authorities = world.source(&tls(&right, None)).await;
    let by_another_authority = world.source(&tls(&right, Some(&Authority::new().pem))).await;
    let of_another_name = world.source(&tls(&misnamed, Some(&authority.pem))).await;
    let unencrypted = world.source(&right.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(trusting).await;
    let mut options = right.options("p");
    let ca = authority.pem.clone().into_bytes();
    rustls::crypto::ring::default_provider().install_default().ok();
    options.set_transport(rumqttc::Transport::tls(ca, None, None));
    crate::broker::publish(options, "t", &[numbered(0)], rumqttc::QoS::AtLeastOnce, false).await;
    assert_eq!(world.wait_for_numbers(0..1, SOON).await, [0]);
    for refused in [by_public_authorities, by_another_authority, of_another_name, unencrypted] {
        assert!(!ingest.is_connected(refused));
    }
    ingest.stop().await;
    let plain = Broker::start().await;
    for (settings, step, words) in [
        (tls(&right, None), Step::Encrypt, "an authority that is not trusted"),
        (tls(&right, Some(&Authority::new().pem)), Step::Encrypt, "an authority that is not trusted"),
        (tls(&misnamed, Some(&authority.pem)), Step::Encrypt, "not for the name 127.0.0.1"),
        (tls(&plain, Some(&authority.pem)), Step::Encrypt, "may not encrypt at this port"),
        (tls(&plain, Some("no pem")), Step::Settings, "ca_certificate"),
        (plain.source_with("t", &json!({"host": "nowhere.invalid"})), Step::Resolve, "nowhere.invalid"),
    ] {
        let problem = problem(settings).await;
        assert!(problem.step == step && problem.reason.contains(words), "{step:?} {words}: {problem:?}");
    }
}

/// What is wrong, as whoever tries it hears.
async fn problem(settings: Value) -> Problem {
    connection_test::check(&feed_source(settings)).await.expect_err("this cannot be read")
}

/// The source with these settings beside its own ones.
fn with(mut source: Value, kind: &str, more: &Value) -> Value {
    source[kind].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    source
}

/// Reads by an encrypted port where the authority is trusted, and not where it is not.
async fn reads_where_it_trusts<B: TestBroker>(broker: &B, encrypted: &Value, publish_port: u16, authority: &Authority) {
    let (world, kind) = (World::new().await, B::KIND);
    B::make(publish_port, "t").await;
    let trusting = world.source(&with(encrypted.clone(), kind, &json!({"ca_certificate": authority.pem}))).await;
    let by_public_authorities = world.source(encrypted).await;
    let another = with(encrypted.clone(), kind, &json!({"ca_certificate": Authority::new().pem}));
    let by_another_authority = world.source(&another).await;
    let ingest = world.ingest().await;
    ingest.connected(trusting).await;
    publish(broker, "t", &[numbered(0)]).await;
    assert_eq!(world.wait_for_numbers(0..1, SOON).await, [0]);
    for refused in [by_public_authorities, by_another_authority] {
        assert!(!ingest.is_connected(refused));
    }
    ingest.stop().await;
    let problem = problem(another).await;
    assert!(problem.step == Step::Encrypt && problem.reason.contains("not trusted"), "{problem:?}");
}

#[tokio::test]
async fn amqps_checks_the_certificate() {
    let authority = Authority::new();
    let broker = RabbitMq::encrypted(&authority).await;
    let source = with(broker.source("t", broker.tls_port(), RIGHT), "amqp", &json!({"schema": "amqps"}));
    reads_where_it_trusts(&broker, &source, broker.port(), &authority).await;
}

#[tokio::test]
async fn nats_checks_the_certificate() {
    let authority = Authority::new();
    let server = NatsServer::encrypted(&authority).await;
    let source = with(server.source("t", server.tls_port(), RIGHT), "nats", &json!({"tls": true}));
    reads_where_it_trusts(&server, &source, server.port(), &authority).await;
}

#[tokio::test]
async fn redis_checks_the_certificate() {
    let authority = Authority::new();
    let server = StreamServer::encrypted(&authority).await;
    let source = with(server.source("t", server.tls_port(), RIGHT), "redis", &json!({"tls": true}));
    reads_where_it_trusts(&server, &source, server.port(), &authority).await;
}

#[tokio::test]
async fn kafka_checks_the_certificate() {
    let authority = Authority::new();
    let server = KafkaServer::encrypted(&authority).await;
    let mut source = server.source("t", server.tls_port(), RIGHT);
    source["kafka"]["auth"]["tls"] = json!(true);
    reads_where_it_trusts(&server, &source, server.port(), &authority).await;
}

/// Two whose own address is encrypted, and which another endpoint stands in for.
#[tokio::test]
async fn sqs_and_google_check_the_certificate() {
    let authority = Authority::new();
    let server = SqsServer::encrypted(&authority).await;
    let endpoint = |port: u16| json!({"endpoint": format!("https://127.0.0.1:{port}")});
    let source = with(server.source("t", 0, RIGHT), "sqs", &endpoint(server.tls_port()));
    reads_where_it_trusts(&server, &source, server.port(), &authority).await;
    let server = PubSubServer::encrypted(&authority).await;
    let source = with(server.source("t", 0, RIGHT), "google", &endpoint(server.tls_port()));
    reads_where_it_trusts(&server, &source, server.port(), &authority).await;
}
