//! Plain HTTP in absolute form: the request goes on to the judged address, without what belongs to one connection only.

use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response, Uri, Version,
    body::Incoming,
    client::conn::http1,
    header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use url::Url;

use super::{
    Body, Shared,
    answer::{EGRESS_ERROR, Refusal, refuse},
    dial::dial,
};
use crate::rules::{Code, Target};

/// RFC 9110, section 7.6.1, and what only a proxy reads.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends the request to its origin and streams the answer back.
pub(super) async fn forward(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Body> {
    let Some((url, target)) = parse(request.uri()) else {
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
    let Some(request) = outgoing(request, &url) else { return refuse(Refusal::Code(Code::BadTarget)) };
    let Ok((mut sender, connection)) =
        http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(origin)).await
    else {
        return refuse(Refusal::Code(Code::ConnectFailure));
    };
    let cut = shared.cut.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            result = connection => if let Err(error) = result {
                tracing::debug!(error = %error, "An origin's connection ended badly.");
            },
            () = cut.cancelled() => {}
        }
        drop(place);
    });
    match tokio::time::timeout(shared.settings.idle_timeout, sender.send_request(request)).await {
        Ok(Ok(response)) => incoming(response),
        Ok(Err(_)) => refuse(Refusal::Code(Code::ConnectFailure)),
        Err(_) => refuse(Refusal::Code(Code::ConnectTimeout)),
    }
}

fn parse(uri: &Uri) -> Option<(Url, Target)> {
    let url = Url::parse(&uri.to_string()).ok()?;
    let target = Target::from_url(&url).ok()?;
    Some((url, target))
}

/// In origin-form, with the URL's own host: what a client wrote into `Host` decides nothing.
fn outgoing(request: Request<Incoming>, url: &Url) -> Option<Request<Incoming>> {
    let (mut head, body) = request.into_parts();
    strip(&mut head.headers);
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_string(),
    };
    head.headers.insert(HOST, HeaderValue::from_str(&host).ok()?);
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_string(),
    };
    head.uri = path.parse().ok()?;
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

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
