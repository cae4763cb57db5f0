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

use super::{
    Body, Shared,
    admit::{Admitted, admit},
    answer::refuse,
    headers::{EGRESS_ERROR, strip},
};
use crate::rules::{Code, Target};

/// Sends the request to its origin and streams the answer back.
pub(super) async fn forward(request: Request<Incoming>, client: SocketAddr, shared: &Arc<Shared>) -> Response<Body> {
    let target = request.uri().authority().and_then(|own| Target::from_http_authority(own.as_str()).ok());
    let outgoing = target.as_ref().and_then(|target| outgoing(request, target));
    // A request that cannot be written is as bad as one without a target.
    let admitted = match admit(target.as_ref().filter(|_| outgoing.is_some()), client, shared).await {
        Ok(admitted) => admitted,
        Err(code) => return refuse(code),
    };
    match outgoing {
        Some(request) => exchange(request, admitted, shared).await.unwrap_or_else(refuse),
        None => refuse(Code::BadTarget),
    }
}

async fn exchange(request: Request<Incoming>, admitted: Admitted, shared: &Shared) -> Result<Response<Body>, Code> {
    let Admitted { origin, place } = admitted;
    let (meter, idle_timeout, cut) = (origin.meter(), shared.settings.idle_timeout, shared.cut.clone());
    let handshake = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(origin));
    let (mut sender, connection) = handshake.await.map_err(|_| Code::ConnectFailure)?;
    let idle = meter.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            result = connection => if let Err(error) = result {
                tracing::debug!(error = %error, "An origin's connection ended badly.");
            },
            () = idle.idle(idle_timeout) => tracing::debug!("An origin's connection was idle for too long."),
            () = cut.cancelled() => {}
        }
        drop(place);
    });
    match sender.send_request(request).await {
        Ok(response) if !response.status().is_informational() => Ok(incoming(response)),
        Err(_) if meter.is_idle(idle_timeout) => Err(Code::ConnectTimeout),
        Ok(_) | Err(_) => Err(Code::ConnectFailure),
    }
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

/// An origin cannot speak as the proxy.
fn incoming(response: Response<Incoming>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    head.headers.remove(EGRESS_ERROR);
    head.version = Version::HTTP_11;
    Response::from_parts(head, body.boxed())
}
