//! The orderly end of a server: readiness fails and every answer ends its connection, a while later the listener and idle
//! connections close, and what is under way is finished. Load balancers and clients have gone elsewhere by then, so that no
//! request meets a connection that is just being closed.

use std::{future::pending, io, sync::Arc, time::Duration};

use posthouse_service::probes::Checks;
use salvo::{
    conn::{Accepted, Acceptor, Holding, tcp::TcpAcceptor},
    fuse::ArcFusePolicy,
    http::{
        Version,
        header::{CONNECTION, HeaderValue},
    },
    prelude::*,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// When a server takes no more connections, and how long it has from then on.
#[derive(Debug, Clone)]
pub struct Drain {
    /// Cancelled when listeners and idle connections are to be closed.
    pub closing: CancellationToken,
    /// How long requests that are under way then may take.
    pub timeout: Duration,
}

impl Drain {
    /// One that begins with `shutdown` and is over `limit` later, of which at most half is spent on `delay`.
    #[must_use]
    pub fn after(shutdown: CancellationToken, delay: Duration, limit: Duration) -> Self {
        let delay = delay.min(limit / 2);
        let closing = CancellationToken::new();
        let close = closing.clone();
        tokio::spawn(async move {
            shutdown.cancelled().await;
            tokio::time::sleep(delay).await;
            close.cancel();
        });
        Self { closing, timeout: limit.saturating_sub(delay) }
    }
}

/// Serves on `listener` until the drain says that it closes, and then until what is under way is answered.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(listener: TcpListener, service: Service, drain: Drain) -> io::Result<()> {
    let closed = CancellationToken::new();
    let open = TcpAcceptor::try_from(listener)?;
    let holdings = open.holdings().to_vec();
    let closing = drain.closing;
    let server = Server::new(Closing { open: Some(open), holdings, closing, closed: closed.clone() });
    let handle = server.handle();
    let stop = async {
        closed.cancelled().await;
        handle.stop_graceful(Some(drain.timeout));
        pending().await
    };
    tokio::select! {
        served = Box::pin(server.try_serve(service)) => served,
        never = stop => never,
    }
}

/// A listener that is let go once it is told to. The framework's own stays open until the last request is answered, and
/// whoever connects meanwhile waits in vain.
struct Closing {
    open: Option<TcpAcceptor>,
    holdings: Vec<Holding>,
    closing: CancellationToken,
    closed: CancellationToken,
}

impl Acceptor for Closing {
    type Coupler = <TcpAcceptor as Acceptor>::Coupler;
    type Stream = <TcpAcceptor as Acceptor>::Stream;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(&mut self, policy: Option<ArcFusePolicy>) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        if let Some(open) = &mut self.open {
            tokio::select! {
                // Who is connected already is served before the door closes.
                biased;
                accepted = open.accept(policy) => return accepted,
                () = self.closing.cancelled() => {}
            }
        }
        self.open = None;
        self.closed.cancel();
        pending().await
    }
}

/// Ends the connection with every answer that a stopping process gives: its client opens the next one elsewhere.
#[derive(Debug, Clone)]
pub struct LastAnswers(pub Arc<Checks>);

#[handler]
impl LastAnswers {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        ctrl.call_next(req, depot, res).await;
        // HTTP/2 has no such header, and says it by a frame of its own.
        if self.0.is_stopping() && req.version() <= Version::HTTP_11 {
            res.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_closes_after_its_delay_which_leaves_time_for_what_is_under_way() {
        for (delay, limit, closes_after, timeout) in [(5, 30, 5, 25), (0, 30, 0, 30), (20, 10, 5, 5)] {
            let shutdown = CancellationToken::new();
            let drain = Drain::after(shutdown.clone(), Duration::from_secs(delay), Duration::from_secs(limit));
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(!drain.closing.is_cancelled(), "nobody has asked for it");
            let began = tokio::time::Instant::now();
            shutdown.cancel();
            drain.closing.cancelled().await;
            // The paused clock rounds up to milliseconds.
            assert_eq!((began.elapsed().as_secs(), drain.timeout.as_secs()), (closes_after, timeout));
        }
    }
}
