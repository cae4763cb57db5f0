//! A TCP balancer, as simple as they come: connections go to the backends in turns, as long as a backend is in service.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use crate::ports;

/// Listens as long as it lives.
#[derive(Debug)]
pub struct Balancer {
    /// Where it listens.
    pub address: SocketAddr,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
    accepting: AbortHandle,
}

impl Balancer {
    /// Before these backends.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(backends: &[SocketAddr]) -> Result<Self> {
        let address = ports::free()?;
        let listener = TcpListener::bind(address).await.context("start the balancer")?;
        let backends = Arc::new(Mutex::new(backends.to_vec()));
        let (known, turn) = (Arc::clone(&backends), AtomicUsize::new(0));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let in_service = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let first = turn.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(forward(client, in_service, first));
            }
        });
        Ok(Self { address, backends, accepting: accepting.abort_handle() })
    }

    /// Sends no new connection to this backend. Those that are open stay.
    pub fn take_out(&self, backend: SocketAddr) {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != backend);
    }

    /// Sends connections to this backend again.
    pub fn put_in(&self, backend: SocketAddr) {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner).push(backend);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection that no backend takes is closed.
async fn forward(mut client: TcpStream, backends: Vec<SocketAddr>, first: usize) {
    let count = backends.len().max(1);
    for backend in backends.iter().cycle().skip(first % count).take(backends.len()) {
        if let Ok(mut backend) = TcpStream::connect(backend).await {
            // Small answers must not wait for more.
            drop((client.set_nodelay(true), backend.set_nodelay(true)));
            drop(copy_bidirectional(&mut client, &mut backend).await);
            return;
        }
    }
}
