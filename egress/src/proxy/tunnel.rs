//! CONNECT: an open tunnel carries bytes, and nothing in it is read, also not what came behind the request's head.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;

use super::{
    Body, Shared,
    admit::{Admitted, admit},
    answer::refuse,
    relay::{End, relay},
};
use crate::rules::Target;

/// Opens the tunnel that the request asks for.
pub(super) async fn open(request: Request<Incoming>, client: SocketAddr, shared: &Arc<Shared>) -> Response<Body> {
    let target = target(&request);
    let admitted = match admit(target.as_ref(), client, shared).await {
        Ok(admitted) => admitted,
        Err(code) => return refuse(code),
    };
    let in_tunnel = Arc::clone(shared);
    shared.tasks.spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => carry(upgraded, admitted, target, &in_tunnel).await,
            Err(error) => tracing::debug!(error = %error, "A client went away before its tunnel was open."),
        }
    });
    Response::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed())
}

/// Only `host:port`, and no body: it would be unclear whether it belongs into the tunnel.
fn target(request: &Request<Incoming>) -> Option<Target> {
    let (uri, headers) = (request.uri(), request.headers());
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length.as_bytes() != b"0");
    if uri.scheme().is_some() || uri.path_and_query().is_some() || has_body {
        return None;
    }
    Target::from_authority(uri.authority()?.as_str()).ok()
}

async fn carry(client: Upgraded, admitted: Admitted, target: Option<Target>, shared: &Shared) {
    let open = shared.metrics.open_tunnel();
    let meter = admitted.origin.meter();
    let end = tokio::select! {
        end = relay(TokioIo::new(client), admitted.origin, shared.settings.idle_timeout) => end,
        () = shared.cut.cancelled() => End::Cut,
    };
    tracing::info!(
        host = target.as_ref().map(|target| target.host.to_string()),
        port = target.as_ref().map(|target| target.port),
        bytes_out = meter.written(),
        bytes_in = meter.read(),
        duration_ms = meter.elapsed_ms(),
        end = end.as_str(),
        "egress.tunnel_closed"
    );
    drop((open, admitted.place));
}
