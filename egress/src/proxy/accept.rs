//! Clients' connections. Each has a limit for its head, one for standing still, and one of a bounded number of places, so
//! that slow clients cost little and cannot crowd out the others for long.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, Uri, body::Incoming, header::PROXY_AUTHORIZATION, http::uri::Scheme,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use posthouse_service::traces::{self, Beginning, Kind, Place, Span};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    Body, Shared,
    admit::{Visit, admit},
    answer::{is_well, refuse, refuse_method},
    forward::forward,
    headers::{EGRESS_ERROR, project},
    limits::Held,
    meter::{Metered, Totals},
    tls::{self, Proof},
    tunnel,
};
use crate::{client::READY_PATH, policy::Role, rules::Code};

/// A request's head may be no larger.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that are served at once, besides open tunnels: they hold little, but not nothing.
const CONNECTIONS_MAX: usize = 16_384;
/// A client that has more connections than it may is told so, up to this many times as many; beyond, it is not answered.
const OVER_MAX: usize = 2;
/// Without file handles nothing can be accepted; they come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is connected.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    /// DNS names that its certificate proves.
    certificates: Arc<[String]>,
    /// What it proved itself with.
    proof: Option<Arc<Proof>>,
    /// It has more connections than it may.
    is_over: bool,
    /// Counts the connection, also as a tunnel.
    _place: Option<Arc<Held<std::net::IpAddr>>>,
}

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
    address: SocketAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    let owner = address.ip().to_canonical();
    let Ok(held) = shared.clients.enter(&owner, OVER_MAX) else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut client = Client {
        address,
        certificates: Arc::default(),
        proof: None,
        is_over: held.is_some() && shared.clients.is_over(&owner),
        _place: held.map(Arc::new),
    };
    match &shared.settings.tls {
        None => Box::pin(serve(stream, client, &shared, shutdown)).await,
        Some(tls) => match timeout(shared.settings.head_timeout, tls.accept(stream)).await {
            Ok(Ok((stream, generation))) => {
                let connection = stream.get_ref().1;
                client.certificates = tls::names(connection).into();
                client.proof = Proof::of(connection, generation).map(Arc::new);
                Box::pin(serve(stream, client, &shared, shutdown)).await;
            }
            Ok(Err(error)) => tracing::info!(client = %address, error = %error, "A client's TLS handshake failed."),
            Err(_) => tracing::debug!(client = %address, "A client's TLS handshake took too long."),
        },
    }
    drop(place);
}

async fn serve<S>(stream: S, client: Client, shared: &Arc<Shared>, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = client.address;
    let stream = Metered::new(stream, Totals::default());
    let meter = stream.meter();
    let settings = &shared.settings;
    // Dialling and waiting for an origin move nothing here and have limits of their own, which come first.
    let still_timeout = settings.head_timeout + settings.connect_timeout + settings.idle_timeout;
    let for_requests = Arc::clone(shared);
    let service = service_fn(move |request| {
        let (shared, client) = (Arc::clone(&for_requests), client.clone());
        async move { Ok::<_, Infallible>(answer::<S>(request, client, &shared).await) }
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
        tracing::debug!(client = %address, error = %error, "A client's connection ended badly.");
    }
}

/// Answers, as a span of the trace that the request names, if it names one.
async fn answer<S>(request: Request<Incoming>, client: Client, shared: &Arc<Shared>) -> Response<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if request.method() == Method::GET && is_ready_question(request.uri()) {
        return is_well();
    }
    let Some(mut span) = begin_span(&request) else { return judge::<S>(request, client, shared).await };
    let response = judge::<S>(request, client, shared).await;
    span.set("http.response.status_code", i64::from(response.status().as_u16()));
    if let Some(code) = response.headers().get(EGRESS_ERROR).and_then(|code| code.to_str().ok()) {
        span.set_text("posthouse.egress.code", code);
        span.fail("refused");
    }
    response
}

fn begin_span(request: &Request<Incoming>) -> Option<Span> {
    if !traces::is_on() {
        return None;
    }
    let parent = Place::parse(request.headers().get("traceparent")?.to_str().ok()?)?;
    let beginning = || Beginning { parent: Some(parent), ..Beginning::default() };
    let mut span = traces::begin("egress", Kind::Server, beginning)?;
    span.set_text("http.request.method", request.method());
    if let Some(authority) = request.uri().authority() {
        span.set_text("server.address", authority.host());
        span.set("server.port", i64::from(authority.port_u16().unwrap_or(80)));
    }
    Some(span)
}

async fn judge<S>(request: Request<Incoming>, client: Client, shared: &Arc<Shared>) -> Response<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let project = project(request.headers());
    let role = role(&request, &client, &project, shared);
    let visit = Visit { client, role, project: project.ok().flatten() };
    if request.method() == Method::CONNECT {
        return tunnel::open::<S>(request, visit, shared).await;
    }
    if request.uri().scheme() == Some(&Scheme::HTTP) {
        return forward(request, &visit, shared).await;
    }
    // Origin-form would have to trust the Host header, and https cannot be forwarded in the clear.
    let code = admit(None, &visit, shared).await.err().unwrap_or(Code::BadTarget);
    if request.uri().scheme().is_none() && code == Code::BadTarget { refuse_method() } else { refuse(code) }
}

/// Asked of the proxy itself, by those who spread their connections over several.
fn is_ready_question(uri: &Uri) -> bool {
    uri.authority().is_none() && uri.path() == READY_PATH
}

fn role(
    request: &Request<Incoming>,
    client: &Client,
    project: &Result<Option<String>, Code>,
    shared: &Shared,
) -> Result<Arc<Role>, Code> {
    if client.is_over {
        return Err(Code::RateLimit);
    }
    let project = project.as_ref().map_err(|code| *code)?;
    // The certificate may have been revoked since it was proved.
    let is_proved = match (&shared.settings.tls, &client.proof) {
        (Some(tls), Some(proof)) => tls.still_proves(proof),
        _ => true,
    };
    let authorization = request.headers().get(PROXY_AUTHORIZATION).map(|value| value.as_bytes());
    let policy = shared.settings.policy.current();
    let role = policy.role_of(authorization, &client.certificates, project.as_deref());
    role.filter(|_| is_proved).ok_or(Code::Unauthenticated)
}
