//! What the proxy itself says. A policy's refusal is 407, the only status that a stock HTTP client tells apart when a
//! tunnel fails; the code stands in `X-Egress-Error`, and no answer names an address.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use super::Body;
use crate::rules::Code;

/// The header that carries the code; answers of origins lose theirs.
pub(super) const EGRESS_ERROR: HeaderName = HeaderName::from_static("x-egress-error");

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// By the rules, or for lack of a connection.
    Code(Code),
    /// It is not a proxy's request at all.
    NotAProxyRequest,
}

pub(super) fn status(code: Code) -> StatusCode {
    match code {
        Code::PrivateAddress
        | Code::Loopback
        | Code::LinkLocal
        | Code::Metadata
        | Code::Reserved
        | Code::EmbeddedV4
        | Code::DeniedRule
        | Code::DeniedHost
        | Code::PortNotAllowed
        | Code::SelfConnection => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        Code::BadTarget => StatusCode::BAD_REQUEST,
        Code::DnsFailure | Code::ConnectFailure => StatusCode::BAD_GATEWAY,
        Code::DnsTimeout | Code::ConnectTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::TunnelLimit => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub(super) fn refuse(refusal: Refusal) -> Response<Body> {
    let (status, code, text) = match refusal {
        Refusal::Code(code) => (status(code), code, code.explanation()),
        Refusal::NotAProxyRequest => (
            StatusCode::METHOD_NOT_ALLOWED,
            Code::BadTarget,
            "this is a proxy: use CONNECT, or http:// in absolute form",
        ),
    };
    let body = Full::new(Bytes::from(format!("{code}: {text}\n"))).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(EGRESS_ERROR, HeaderValue::from_static(code.as_str()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
