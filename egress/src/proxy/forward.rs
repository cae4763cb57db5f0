//! Plain HTTP in absolute form: the request goes on to the judged address with its path, body and headers as they are,
//! without what belongs to one connection only.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response, Uri, Version,
    body::Incoming,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;

use tokio::{net::TcpStream, time::Instant};

use super::{
    Body, Shared,
    admit::{Admitted, Connected, Place, Visit, admit_shared, reach},
    answer::refuse,
    headers::{EGRESS_CONNECTION, EGRESS_ERROR, strip},
    idle::Open,
    meter::Metered,
};
use crate::{
    rules::{Code, Target},
    sources::Sources,
};

/// Sends the request to its origin and streams the answer back.
pub(super) async fn forward(request: Request<Incoming>, visit: &Visit, shared: &Arc<Shared>) -> Response<Body> {
    let target = request.uri().authority().and_then(|own| Target::from_http_authority(own.as_str()).ok());
    let outgoing = target.as_ref().and_then(|target| outgoing(request, target));
    // A request that cannot be written is as bad as one without a target.
    let admitted = match admit_shared(target.as_ref().filter(|_| outgoing.is_some()), visit, shared).await {
        Ok(admitted) => admitted,
        Err(code) => return refuse(code),
    };
    match (target, outgoing) {
        (Some(target), Some(request)) => {
            let told = admitted.told.clone();
            let answer = exchange(target, request, admitted, shared).await;
            answer.map(|response| telling(response, told)).unwrap_or_else(refuse)
        }
        _ => refuse(Code::BadTarget),
    }
}

async fn exchange(
    target: Target,
    request: Request<Incoming>,
    admitted: Admitted<Connected>,
    shared: &Arc<Shared>,
) -> Result<Response<Body>, Code> {
    let Admitted { origin, place, sources, .. } = admitted;
    let (open, request) = match origin {
        Connected::New(origin, address) => (shake_hands(origin, address, sources, shared).await?, request),
        Connected::Idle(mut open) => match open.sender.try_send_request(request).await {
            Ok(response) => return answered(target, open, response, place, shared),
            // It was closed under the request, which has not left: a new connection takes it, to the judged address.
            Err(mut error) => {
                let request = error.take_message().ok_or(Code::ConnectFailure)?;
                let end = Instant::now() + shared.settings.connect_timeout;
                let (stream, address) = reach(&[open.address], end, &sources, shared).await?;
                (shake_hands(stream, address, sources, shared).await?, request)
            }
        },
    };
    let mut open = open;
    match open.sender.send_request(request).await {
        Ok(response) => answered(target, open, response, place, shared),
        Err(_) if open.meter.is_idle(shared.settings.idle_timeout) => Err(Code::ConnectTimeout),
        Err(_) => Err(Code::ConnectFailure),
    }
}

/// Makes an HTTP connection, which lives until nothing has moved on it for the idle timeout.
async fn shake_hands(
    origin: Metered<TcpStream>,
    address: SocketAddr,
    sources: Arc<Sources>,
    shared: &Arc<Shared>,
) -> Result<Open, Code> {
    let (meter, idle_timeout, cut) = (origin.meter(), shared.settings.idle_timeout, shared.cut.clone());
    let handshake = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(origin));
    let (sender, connection) = handshake.await.map_err(|_| Code::ConnectFailure)?;
    let idle = meter.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            result = connection => if let Err(error) = result {
                tracing::debug!(error = %error, "An origin's connection ended badly.");
            },
            () = idle.idle(idle_timeout) => tracing::debug!("An origin's connection was idle for too long."),
            () = cut.cancelled() => {}
        }
    });
    Ok(Open { sender, address, meter, sources })
}

/// Streams the answer; when it is complete, the connection is kept for the next request.
fn answered(
    target: Target,
    mut open: Open,
    response: Response<Incoming>,
    place: Place,
    shared: &Arc<Shared>,
) -> Result<Response<Body>, Code> {
    if response.status().is_informational() {
        return Err(Code::ConnectFailure);
    }
    let for_next = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let is_ready = open.sender.ready().await.is_ok();
        drop(place);
        if is_ready && !for_next.tasks.is_closed() {
            for_next.idle.keep(&target, open);
        }
    });
    Ok(incoming(response))
}

/// In origin-form, with the target's own name: what a client wrote into `Host` decides nothing.
fn outgoing(request: Request<Incoming>, target: &Target) -> Option<Request<Incoming>> {
    let (mut head, body) = request.into_parts();
    strip(&mut head.headers);
    head.headers.insert(HOST, HeaderValue::from_str(&target.http_host()).ok()?);
    head.uri = head.uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
    head.version = Version::HTTP_11;
    Some(Request::from_parts(head, body))
}

fn telling(mut response: Response<Body>, told: Option<HeaderValue>) -> Response<Body> {
    response.headers_mut().extend(told.map(|told| (EGRESS_CONNECTION, told)));
    response
}

/// An origin cannot speak as the proxy.
fn incoming(response: Response<Incoming>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    head.headers.remove(EGRESS_ERROR);
    head.headers.remove(EGRESS_CONNECTION);
    head.version = Version::HTTP_11;
    Response::from_parts(head, body.boxed())
}
