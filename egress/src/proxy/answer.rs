//! What the proxy itself says. A policy's refusal is 407, the only status that a stock HTTP client tells apart when a
//! tunnel fails; the code stands in `X-Egress-Error`, and no answer names an address.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, PROXY_AUTHENTICATE, RETRY_AFTER},
};

use super::{Body, headers::EGRESS_ERROR};
use crate::rules::Code;

const fn status(code: Code) -> StatusCode {
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
        | Code::SelfConnection
        | Code::Unauthenticated => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        Code::BadTarget => StatusCode::BAD_REQUEST,
        Code::DnsFailure | Code::ConnectFailure => StatusCode::BAD_GATEWAY,
        Code::DnsTimeout | Code::ConnectTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::TunnelLimit | Code::UpstreamFailure => StatusCode::SERVICE_UNAVAILABLE,
        Code::RateLimit => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// The answer to a request that is not carried out.
pub(super) fn refuse(code: Code) -> Response<Body> {
    let mut response = answer(status(code), code, code.explanation());
    let headers = response.headers_mut();
    match code {
        Code::TunnelLimit | Code::RateLimit | Code::UpstreamFailure => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Code::Unauthenticated => {
            headers.insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"egress\""));
        }
        _ => {}
    }
    response
}

/// The answer to a request that asks no proxy for anything.
pub(super) fn refuse_method() -> Response<Body> {
    let text = "this is a proxy: use CONNECT, or an http:// URL as the request's target";
    let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, Code::BadTarget, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("CONNECT"));
    response
}

/// The answer to who asks whether the proxy takes requests.
pub(super) fn is_well() -> Response<Body> {
    text(StatusCode::OK, "ok\n".into())
}

fn answer(status: StatusCode, code: Code, why: &str) -> Response<Body> {
    let mut response = text(status, format!("{code}: {why}\n"));
    let headers = response.headers_mut();
    headers.insert(EGRESS_ERROR, HeaderValue::from_static(code.as_str()));
    // What follows a refused request is not read: it may have been meant for the tunnel.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_status() {
        for code in Code::ALL {
            let expected = match code.as_str() {
                "bad_target" => 400,
                "dns_failure" | "connect_failure" => 502,
                "tunnel_limit" | "upstream_failure" => 503,
                "rate_limit" => 429,
                "dns_timeout" | "connect_timeout" => 504,
                _ => 407,
            };
            let response = refuse(code);
            assert_eq!(response.status(), expected, "{code}");
            assert_eq!(response.headers()["x-egress-error"], code.as_str());
            assert_eq!(response.headers().contains_key("retry-after"), matches!(expected, 429 | 503));
            assert_eq!(response.headers().contains_key("proxy-authenticate"), code == Code::Unauthenticated);
        }
    }
}
