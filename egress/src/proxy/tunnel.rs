//! CONNECT: an open tunnel carries bytes, and nothing in it is read.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Body, Shared,
    answer::{Refusal, refuse},
    dial::dial,
    relay::{End, relay},
};
use crate::rules::{Code, Target};

/// Opens the tunnel that the request asks for.
pub(super) async fn open(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Body> {
    let target = request.uri().authority().and_then(|authority| Target::from_authority(authority.as_str()).ok());
    let Some(target) = target else {
        shared.metrics.count(Some(Code::BadTarget));
        return refuse(Refusal::Code(Code::BadTarget));
    };
    let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
        shared.metrics.count(Some(Code::TunnelLimit));
        return refuse(Refusal::Code(Code::TunnelLimit));
    };
    let origin = match dial(&target, shared).await {
        Ok(origin) => origin,
        Err(code) => return refuse(Refusal::Code(code)),
    };
    let in_tunnel = Arc::clone(shared);
    shared.tasks.spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(client) => carry(TokioIo::new(client), origin, &in_tunnel, place).await,
            Err(error) => tracing::debug!(error = %error, "A client went away before its tunnel was open."),
        }
    });
    Response::new(Empty::<Bytes>::new().map_err(|never| match never {}).boxed())
}

async fn carry(
    client: TokioIo<hyper::upgrade::Upgraded>,
    origin: TcpStream,
    shared: &Shared,
    place: OwnedSemaphorePermit,
) {
    let began = Instant::now();
    shared.metrics.opened();
    let (counts, end) = tokio::select! {
        done = relay(client, origin, shared.settings.idle_timeout) => done,
        () = shared.cut.cancelled() => (super::relay::Counts::default(), End::Cut),
    };
    shared.metrics.closed(&counts);
    tracing::info!(
        bytes_out = counts.from_client,
        bytes_in = counts.from_origin,
        duration_ms = began.elapsed().as_millis(),
        end = end.as_str(),
        "egress.tunnel_closed"
    );
    drop(place);
}
