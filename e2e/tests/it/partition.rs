//! Invariant 2 on hosts that are cut off from PostgreSQL and Redis: `just partition` in a short form.

use std::time::Duration;

use posthouse_e2e::{
    partition::{self, Options},
    services::Durability,
};

use crate::world::{in_own_network, root};

const NAME: &str = "partition::hosts_that_are_cut_off_lose_nothing_and_come_back";
const LIMIT: Duration = Duration::from_secs(480);

#[tokio::test]
async fn hosts_that_are_cut_off_lose_nothing_and_come_back() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options {
        rate: 50,
        lasts: Duration::from_secs(10),
        stall_max: Duration::from_secs(30),
        durability: Durability::Relaxed,
    };
    let inside = async {
        let run = partition::run(&root(), "it-partition", &options, &mut |line| println!("{line}")).await;
        let outcome = run.unwrap();
        // Who was cut off heard of it, and the load went on.
        assert!(outcome.tally.server_errors > 0 && outcome.tally.during.count() > 0, "{outcome:?}");
        // At least the first leader's, that of its successor, and one after all were cut off.
        assert!(outcome.terms >= 3, "{outcome:?}");
    };
    in_own_network(NAME, LIMIT, Box::pin(inside)).await;
}
