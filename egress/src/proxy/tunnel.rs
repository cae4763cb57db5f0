//! CONNECT: an open tunnel carries bytes, and nothing in it is read, also not what came behind the request's head. Nothing
//! of the HTTP connection is kept while it is open.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Body, Shared,
    admit::{Admitted, Visit, admit},
    answer::refuse,
    headers::EGRESS_CONNECTION,
    meter::Metered,
    relay::{Bounds, End, relay},
};
use crate::rules::Target;

/// Opens the tunnel that the request asks for, on a connection over `S`.
pub(super) async fn open<S>(request: Request<Incoming>, visit: Visit, shared: &Arc<Shared>) -> Response<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let target = target(&request);
    let admitted = match admit(target.as_ref(), &visit, shared).await {
        Ok(admitted) => admitted,
        Err(code) => return refuse(code),
    };
    let mut response = Response::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed());
    if let Some(told) = &admitted.told {
        response.headers_mut().insert(EGRESS_CONNECTION, told.clone());
    }
    let in_tunnel = Arc::clone(shared);
    shared.tasks.spawn(async move {
        let parts = match hyper::upgrade::on(request).await {
            Ok(upgraded) => upgraded.downcast::<TokioIo<Metered<S>>>(),
            Err(error) => {
                tracing::debug!(error = %error, "A client went away before its tunnel was open.");
                return;
            }
        };
        match parts {
            Ok(parts) => {
                let client = parts.io.into_inner().into_inner();
                carry(client, parts.read_buf, admitted, visit, target, &in_tunnel).await;
            }
            Err(_) => tracing::error!("A tunnel's connection is of another kind than it was accepted as."),
        }
    });
    response
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

async fn carry<S>(client: S, early: Bytes, admitted: Admitted, visit: Visit, target: Option<Target>, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let open = shared.metrics.open_tunnel();
    let meter = admitted.origin.meter();
    let settings = &shared.settings;
    let bounds = Bounds {
        idle: settings.idle_timeout,
        lifetime: settings.tunnel_lifetime,
        bytes_max: settings.tunnel_bytes_max,
    };
    let end = tokio::select! {
        end = relay(client, admitted.origin, early, bounds) => end,
        () = shared.cut.cancelled() => End::Cut,
    };
    tracing::info!(
        host = target.as_ref().map(|target| target.host.to_string()),
        port = target.as_ref().map(|target| target.port),
        role = visit.role.as_ref().ok().map(|role| role.name()),
        project = visit.project.as_deref(),
        client = %visit.client.address,
        bytes_out = meter.written(),
        bytes_in = meter.read(),
        duration_ms = meter.elapsed_ms(),
        end = end.as_str(),
        "egress.tunnel_closed"
    );
    drop((open, admitted.place, visit));
}
