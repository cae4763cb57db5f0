//! Clients' connections. Each has a limit for its head, one for standing still, and one of a bounded number of places, so
//! that slow clients cost little and cannot crowd out the others for long.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Method, Request, Response, body::Incoming, http::uri::Scheme, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use super::{
    Body, Shared,
    admit::admit,
    answer::{refuse, refuse_method},
    forward::forward,
    meter::{Metered, Totals},
    tunnel,
};
use crate::rules::Code;

/// A request's head may be no larger.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that are served at once, besides open tunnels: they hold little, but not nothing.
const CONNECTIONS_MAX: usize = 16_384;
/// Without file handles nothing can be accepted; they come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections until `shutdown`.
pub(super) async fn accept(listener: &TcpListener, shared: &Arc<Shared>, shutdown: &CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let next = async {
            let place = Arc::clone(&connections).acquire_owned().await;
            (place, listener.accept().await)
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = next => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, client))) => {
                let serving = connection(stream, client, Arc::clone(shared), shutdown.clone(), place);
                shared.tasks.spawn(serving);
            }
            (Ok(_), Err(error)) => {
                tracing::warn!(error = %error, "A connection could not be taken.");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), _) => return,
        }
    }
}

async fn connection(
    stream: TcpStream,
    client: SocketAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = Metered::new(stream, Totals::default());
    let meter = stream.meter();
    let settings = &shared.settings;
    // Dialling and waiting for an origin move nothing here and have limits of their own, which come first.
    let still_timeout = settings.head_timeout + settings.connect_timeout + settings.idle_timeout;
    let for_requests = Arc::clone(&shared);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&for_requests);
        async move { Ok::<_, Infallible>(answer(request, client, &shared).await) }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.head_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let limits = async {
        tokio::select! {
            () = meter.idle(still_timeout) => {}
            () = shared.cut.cancelled() => {}
        }
    };
    let mut limits = std::pin::pin!(limits);
    let result = tokio::select! {
        result = &mut serving => result,
        () = &mut limits => return,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                result = &mut serving => result,
                () = &mut limits => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(client = %client, error = %error, "A client's connection ended badly.");
    }
    drop(place);
}

async fn answer(request: Request<Incoming>, client: SocketAddr, shared: &Arc<Shared>) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return tunnel::open(request, client, shared).await;
    }
    if request.uri().scheme() == Some(&Scheme::HTTP) {
        return forward(request, client, shared).await;
    }
    // Origin-form would have to trust the Host header, and https cannot be forwarded in the clear.
    let code = admit(None, client, shared).await.err().unwrap_or(Code::BadTarget);
    if request.uri().scheme().is_none() { refuse_method() } else { refuse(code) }
}
