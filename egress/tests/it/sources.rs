//! Which address connections leave from, and which of several addresses of a name they go to.

use std::{net::IpAddr, sync::Arc};

use posthouse_egress::{
    Rules,
    proxy::{FixedNames, Resolver, Settings, Sources},
};

use crate::world::{Origin, Proxy, permissions, policy, settings};

fn sources(addresses: &[&str]) -> Arc<Sources> {
    Arc::new(Sources::new(&addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>()))
}

#[tokio::test]
async fn connections_leave_from_the_sources_in_turn() {
    let origin = Origin::echo().await;
    let settings = Settings { sources: sources(&["127.0.0.3", "127.0.0.4"]), ..settings(&[origin.address]) };
    let proxy = Proxy::start(settings).await;
    let mut tunnels = Vec::new();
    for _ in 0..4 {
        tunnels.push(proxy.tunnel(&origin.address.to_string()).await);
    }
    let from: Vec<String> = origin.clients().iter().map(|client| client.ip().to_string()).collect();
    assert_eq!(from, ["127.0.0.3", "127.0.0.4", "127.0.0.3", "127.0.0.4"]);
    proxy.stop().await;
}

#[tokio::test]
async fn nothing_leaves_from_an_address_that_is_not_a_source() {
    let origin = Origin::echo_at("[::1]:0").await;
    let settings = Settings { sources: sources(&["127.0.0.3"]), ..settings(&[origin.address]) };
    let proxy = Proxy::start(settings).await;
    assert_eq!(proxy.refused(&origin.address.to_string()).await, (502, "connect_failure".into()));
    assert_eq!(origin.clients(), []);
    proxy.stop().await;
}

#[tokio::test]
async fn the_other_family_is_used_where_one_is_dead() {
    let origin = Origin::echo().await;
    let port = origin.address.port();
    let names = FixedNames::default().with("both.example", &[&["::1", "127.0.0.1"]]);
    let dead = format!("[::1]:{port}").parse().unwrap();
    let rules = Rules::with_allowed(permissions(&[origin.address, dead]));
    let settings = Settings { policy: policy(rules), resolver: Resolver::Fixed(names), ..settings(&[]) };
    let proxy = Proxy::start(settings).await;
    proxy.tunnel(&format!("both.example:{port}")).await;
    assert_eq!(origin.clients().len(), 1);
    proxy.stop().await;
}
