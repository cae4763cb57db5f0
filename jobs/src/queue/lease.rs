//! A worker's name in Redis, under which its jobs are leased. A worker that was taken for dead comes back under a new
//! name: what it finishes under the old one is refused, so no job is acknowledged by anyone but its holder.

use std::{
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::Utc;
use redis::RedisResult;
use ulid::Ulid;

use super::{
    connection::Connection,
    keys::Keys,
    script::{Call, DEREGISTER, HEARTBEAT, REGISTER},
};

/// One registration.
pub(crate) struct Lease {
    pub(crate) name: String,
    fetch: AtomicI64,
    finish: AtomicI64,
}

impl Lease {
    fn new() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = match host.trim() {
            "" => "host",
            name => name,
        };
        Self {
            name: format!("{host}-{}-{}", process::id(), Ulid::generate()),
            fetch: AtomicI64::new(0),
            finish: AtomicI64::new(0),
        }
    }

    /// A token for the next fetch: the time in ms, and always more than the one before.
    pub(crate) fn next_fetch(&self) -> i64 {
        let next = Utc::now().timestamp_millis().max(self.fetch.load(Ordering::Relaxed) + 1);
        self.fetch.store(next, Ordering::Relaxed);
        next
    }

    /// The number of the next batch of outcomes.
    pub(crate) fn next_finish(&self) -> i64 {
        self.finish.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The worker's current lease, shared by its tasks.
pub(crate) struct Registration {
    connection: Connection,
    keys: Keys,
    concurrency: usize,
    current: Mutex<Arc<Lease>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Registration {
    /// A name that is not registered yet.
    pub(crate) fn new(connection: Connection, keys: Keys, concurrency: usize) -> Self {
        Self {
            connection,
            keys,
            concurrency,
            current: Mutex::new(Arc::new(Lease::new())),
            renewing: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn current(&self) -> Arc<Lease> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers under a new name, unless another task has done so since `lost` was current.
    pub(crate) async fn renew(&self, lost: &Arc<Lease>) -> RedisResult<()> {
        let _one_at_a_time = self.renewing.lock().await;
        if !Arc::ptr_eq(&self.current(), lost) {
            return Ok(());
        }
        let lease = Arc::new(Lease::new());
        let mut call = Call::new(&REGISTER, &[&self.keys.workers(), &self.keys.worker(&lease.name)]);
        call.arg(&lease.name).arg(self.concurrency);
        call.run::<()>(&mut self.connection.link()).await?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = lease;
        Ok(())
    }

    /// Says that the worker lives. `false`: it is not registered, or was taken for dead.
    pub(crate) async fn beat(&self, lease: &Lease) -> RedisResult<bool> {
        let mut call = Call::new(&HEARTBEAT, &[&self.keys.workers()]);
        call.arg(&lease.name).run(&mut self.connection.link()).await
    }

    /// Ends the registration; jobs still leased under it go to others at once.
    pub(crate) async fn leave(&self) -> RedisResult<()> {
        let lease = self.current();
        let keys = &self.keys;
        let (worker, leases) = (keys.worker(&lease.name), keys.leases(&lease.name));
        let mut call = Call::new(&DEREGISTER, &[&keys.workers(), &keys.reaping(), &worker, &leases]);
        call.arg(&lease.name).run(&mut self.connection.link()).await
    }
}
