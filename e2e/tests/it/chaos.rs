//! Invariants 1, 2 and 5 in a short form of `just chaos`: nothing accepted is lost while everything dies in turns.

use std::time::Duration;

use posthouse_e2e::{
    chaos::{self, Options},
    services::Durability,
};

use crate::world::root;

#[tokio::test]
async fn nothing_is_lost_though_every_role_is_killed_and_every_service_restarted() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options {
        events: 2_000,
        seed: rand::random(),
        lasts: Duration::from_secs(25),
        durability: Durability::Relaxed,
    };
    chaos::run(&root(), "it-chaos", &options, &mut |line| println!("{line}")).await.unwrap();
}
