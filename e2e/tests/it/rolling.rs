//! A deploy loses nothing and no caller notices: `just rolling` in a short form.

use std::time::Duration;

use posthouse_e2e::{
    rolling::{self, Options},
    services::Durability,
};

use crate::world::root;

#[tokio::test]
async fn every_role_is_restarted_under_load_and_nobody_hears_of_it() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options { rate: 50, steady: Duration::from_secs(1), durability: Durability::Relaxed };
    let outcome = rolling::run(&root(), "it-rolling", &options, &mut |line| println!("{line}")).await.unwrap();
    let tally = &outcome.tally;
    assert_eq!((outcome.restarts, tally.server_errors, tally.refused), (8, 0, 0), "{tally:?}");
    assert!(tally.before.count() > 0 && tally.during.count() > 0, "{tally:?}");
    assert_eq!(outcome.account.received.idempotency_keys, tally.accepted());
}
