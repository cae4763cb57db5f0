//! Free loopback ports. They lie below the range from which the system takes the near end of outgoing connections,
//! so that a role which is killed finds its port free when it is started again.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

use anyhow::{Result, bail};
use rand::RngExt;

const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;
const TRIES_MAX: u32 = 500;

static GIVEN: LazyLock<Mutex<BTreeSet<u16>>> = LazyLock::new(Mutex::default);

/// A loopback address on which nothing listens, never given before by this process.
///
/// # Errors
/// Five hundred ports in a row were taken.
pub fn free() -> Result<SocketAddr> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TRIES_MAX {
        let port = rand::rng().random_range(FIRST..=LAST);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && given.insert(port) {
            return Ok(address);
        }
    }
    bail!("no free port between {FIRST} and {LAST} on 127.0.0.1")
}
