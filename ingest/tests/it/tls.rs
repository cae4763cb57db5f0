//! Encrypted connections: the broker's certificate is checked against the authority of the source's settings.

use serde_json::{Value, json};

use crate::{
    broker::{Broker, numbered, publish},
    program::SOON,
    world::World,
};

struct Authority {
    pem: String,
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        Self { pem: issuer.pem(), issuer }
    }

    /// A broker that shows a certificate for `name`.
    async fn broker(&self, name: &str) -> Broker {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let lines = "allow_anonymous true\ncertfile {folder}/certificate\nkeyfile {folder}/key\n";
        Broker::start_with(lines, &[("certificate", &certificate.pem()), ("key", &key.serialize_pem())]).await
    }
}

fn tls(broker: &Broker, ca_certificate: Option<&str>) -> Value {
    broker.source_with("t", &json!({"tls": true, "ca_certificate": ca_certificate}))
}

#[tokio::test]
async fn only_a_broker_with_a_trusted_certificate_is_read() {
    let (authority, world) = (Authority::new(), World::new().await);
    let (right, misnamed) = (authority.broker("127.0.0.1").await, authority.broker("broker.example").await);
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
    publish(options, "t", &[numbered(0)], rumqttc::QoS::AtLeastOnce, false).await;
    assert_eq!(world.wait_for_numbers(0..1, SOON).await, [0]);
    for refused in [by_public_authorities, by_another_authority, of_another_name, unencrypted] {
        assert!(!ingest.is_connected(refused));
    }
    ingest.stop().await;
}
