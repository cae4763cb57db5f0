//! The programs that Posthouse and its tests need and do not build: PostgreSQL, Redis, message brokers and a balancer. Each is
//! looked for and installed only when it is missing; what is started here is a private instance, on loopback alone unless a
//! test has a network of its own.

mod account;
mod authority;
mod find;
mod install;
mod mosquitto;
mod postgres;
mod redis;

pub use account::Place;
pub use authority::{Authority, Encryption, Identity};
pub use find::{Found, Program, find};
pub use install::install_missing;
pub use mosquitto::Mosquitto;
pub use postgres::{Certificates, Durability, Postgres};
pub use redis::Redis;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use rustix::process::Signal;

use crate::process::Ending;

/// Who may connect to PostgreSQL and Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Programs of this machine.
    #[default]
    Loopback,
    /// Every host of the networks that this machine is in as well: for a network of the test's own.
    Networks,
    /// Programs of this machine that speak TLS and show a certificate of the run's authority.
    Encrypted,
}

/// How long a service may take to answer after its start, on a machine that is busy compiling.
const READY_LIMIT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);

/// Redis and Mosquitto write down what they have on SIGTERM.
const SERVICE_ENDING: Ending = Ending { signal: Signal::TERM, orphan_signal: "TERM", limit: Duration::from_secs(10) };

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
