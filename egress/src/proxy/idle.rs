//! Connections to origins between two forwarded requests. Each request is judged as if there were none: a connection is
//! taken only for the name it was made for, if its address is among those that were judged for this request, and if it leaves
//! from where this request is to leave from.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{body::Incoming, client::conn::http1::SendRequest};
use tokio::time::Instant;

use super::meter::Meter;
use crate::{
    rules::{Host, Target},
    sources::Sources,
};

/// Shorter than servers keep theirs, so that a request rarely meets a connection that is just being closed.
const AGE_MAX: Duration = Duration::from_secs(8);
/// Connections kept for one origin, and in all.
const PER_ORIGIN_MAX: usize = 512;
const CONNECTIONS_MAX: usize = 4_096;

/// A connection that can take a request.
pub(super) struct Open {
    pub(super) sender: SendRequest<Incoming>,
    pub(super) address: SocketAddr,
    pub(super) meter: Meter,
    /// It leaves from one of these.
    pub(super) sources: Arc<Sources>,
}

type Origin = (Host, u16);

#[derive(Default)]
pub(super) struct IdleConnections(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_origin: HashMap<Origin, Vec<(Open, Instant)>>,
    count: usize,
}

impl IdleConnections {
    /// A connection to one of the judged addresses of `target`, the one used last.
    pub(super) fn take(&self, target: &Target, judged: &[SocketAddr], sources: &Arc<Sources>) -> Option<Open> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = (target.host.clone(), target.port);
        let connections = kept.by_origin.get_mut(&origin)?;
        let before = connections.len();
        connections.retain(|(open, since)| is_fresh(open, *since));
        // The same object, not the same addresses: a file of rules that was read again makes new ones.
        let is_meant = |open: &Open| judged.contains(&open.address) && Arc::ptr_eq(&open.sources, sources);
        let at = connections.iter().rposition(|(open, _)| is_meant(open));
        let taken = at.map(|at| connections.remove(at).0);
        let (after, is_empty) = (connections.len(), connections.is_empty());
        if is_empty {
            kept.by_origin.remove(&origin);
        }
        kept.count -= before - after;
        taken
    }

    /// Keeps a connection for the next request, unless there are enough.
    pub(super) fn keep(&self, target: &Target, open: Open) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.count >= CONNECTIONS_MAX {
            kept.sweep();
        }
        let is_full = kept.count >= CONNECTIONS_MAX;
        let connections = kept.by_origin.entry((target.host.clone(), target.port)).or_default();
        if !is_full && connections.len() < PER_ORIGIN_MAX {
            connections.push((open, Instant::now()));
            kept.count += 1;
        }
    }

    /// Closes, for ever, what nobody has taken in time. Nobody may ever ask for that origin again.
    pub(super) async fn close_unused(&self) {
        loop {
            tokio::time::sleep(AGE_MAX / 2).await;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).sweep();
        }
    }

    /// Closes them all.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }
}

impl Kept {
    fn sweep(&mut self) {
        self.by_origin.retain(|_, connections| {
            connections.retain(|(open, since)| is_fresh(open, *since));
            !connections.is_empty()
        });
        self.count = self.by_origin.values().map(Vec::len).sum();
    }
}

fn is_fresh(open: &Open, since: Instant) -> bool {
    since.elapsed() < AGE_MAX && open.sender.is_ready()
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;

    use super::*;
    use crate::proxy::meter::Totals;

    /// A connection, and its end at the origin.
    async fn open(sources: &Arc<Sources>) -> (Open, tokio::io::DuplexStream) {
        let (own, origin) = tokio::io::duplex(64);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(own)).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap();
        let (address, meter) = (([127, 0, 0, 1], 80).into(), Meter::new(Totals::default()));
        (Open { sender, address, meter, sources: Arc::clone(sources) }, origin)
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_is_closed() {
        let idle = IdleConnections::default();
        let target = Target::from_http_authority("origin.example").unwrap();
        let sources = Arc::<Sources>::default();
        let (kept, mut origin) = open(&sources).await;
        idle.keep(&target, kept);
        let used = async {
            tokio::time::sleep(AGE_MAX / 2 + Duration::from_secs(1)).await;
            let judged = [([127, 0, 0, 1], 80).into()];
            assert!(idle.take(&target, &judged, &Arc::default()).is_none(), "it leaves from elsewhere");
            idle.take(&target, &judged, &sources)
        };
        let open = tokio::select! {
            () = idle.close_unused() => panic!("it never ends"),
            open = used => open.expect("it is fresh"),
        };
        idle.keep(&target, open);
        let closed = async { tokio::io::AsyncReadExt::read(&mut origin, &mut [0; 1]).await };
        tokio::select! {
            () = idle.close_unused() => panic!("it never ends"),
            read = tokio::time::timeout(AGE_MAX * 2, closed) => assert_eq!(read.unwrap().unwrap(), 0),
        }
        let kept = idle.0.lock().unwrap();
        assert!(kept.by_origin.is_empty() && kept.count == 0);
    }
}
