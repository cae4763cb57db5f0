//! A TCP proxy between ingest and a broker, which can cut what passes through it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinHandle},
};

pub struct Proxy {
    port: u16,
    accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<AbortHandle>>>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of its own and passes everything on to `target` on loopback.
    pub async fn to(target: u16) -> Self {
        Self::on(0, target).await
    }

    /// The same on this port.
    pub async fn on(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, handles) = (Arc::clone(&accepted), Arc::clone(&open));
        let listening = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let pass = tokio::spawn(async move {
                    if let Ok(mut broker) = TcpStream::connect(("127.0.0.1", target)).await {
                        copy_bidirectional(&mut socket, &mut broker).await.ok();
                    }
                });
                handles.lock().unwrap().push(pass.abort_handle());
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { port, accepted, open, listening }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections came so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.lock().unwrap().iter().filter(|handle| !handle.is_finished()).count()
    }

    /// Ends every connection that is open.
    pub fn cut(&self) {
        for handle in self.open.lock().unwrap().drain(..) {
            handle.abort();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}
