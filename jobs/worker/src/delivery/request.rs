//! The HTTP request of a delivery, made from rows alone: same rows, same time, same bytes. What the system sets wins over
//! what the caller sent, without regard to case, so that no event can forge a signature or break the framing.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use posthouse_jobs::TraceContext;
use posthouse_schema::{
    delivery_target::DeliveryTarget,
    event_delivery::OutgoingDelivery,
    ids::ProjectId,
    json::Headers,
    project_config::{ProjectConfig, SignatureConfig},
    words::StandardWebhooks,
};
use posthouse_signature::Key;
use url::Url;

use super::{
    clients::ClientIdentity,
    form,
    redirect::{Redirects, is_credential},
    sign::{SignatureForm, signature},
    userinfo::basic,
};

/// The wait for a whole answer where the endpoint sets none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// No endpoint is waited for longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// What we call ourselves.
pub const USER_AGENT: &str = concat!("Posthouse/", env!("CARGO_PKG_VERSION"));
/// Headers of Standard Webhooks.
const SIGNATURE: &str = "webhook-signature";
const TIMESTAMP: &str = "webhook-timestamp";
/// Headers of W3C Trace Context.
pub(super) const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
/// Headers that belong to the connection or the framing, say what we can read or who signed, or hold the request's trace:
/// never taken from an event.
const RESERVED: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "posthouse-traceparent",
    "posthouse-tracestate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    SIGNATURE,
    TIMESTAMP,
];

/// A request ready to be sent, by POST.
#[derive(Debug, Clone)]
pub struct DeliveryRequest {
    /// Where to.
    pub url: Url,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// The bytes that were signed.
    pub body: Bytes,
    /// The wait for the whole answer, and for those that lead to it.
    pub timeout: Duration,
    /// What it proves itself with in TLS.
    pub identity: Option<ClientIdentity>,
    /// What becomes of an answer that leads elsewhere.
    pub redirects: Redirects,
    /// For whom it is sent.
    pub project: ProjectId,
}

/// Why no request can be made of a delivery, whoever tries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The endpoint's URL is not one.
    #[error("the endpoint's URL is invalid")]
    Url,
    /// The subscription's function gave nothing to send, as the delivery says, or there is nothing left of it.
    #[error("the subscription's function made no payload, or the event's data has expired")]
    Payload,
    /// The endpoint wants a form and the payload is not an object.
    #[error("the payload is not an object and cannot be sent as a form")]
    Form,
    /// The endpoint's authentication cannot be read.
    #[error("the endpoint's authentication is invalid")]
    Authentication,
    /// The endpoint's certificate cannot be read.
    #[error("the endpoint's client certificate is invalid")]
    ClientCertificate,
    /// The project's own header for the request id needs an idempotency key.
    #[error("the event has no idempotency key for the header {0}")]
    RequestId(String),
    /// A header that the project or the endpoint sets is not one.
    #[error("the header {0} is invalid")]
    Header(String),
}

/// The request of this delivery at `now`.
///
/// # Errors
/// See [`RequestError`].
pub fn build(
    delivery: &OutgoingDelivery,
    target: &DeliveryTarget,
    config: &ProjectConfig,
    now: DateTime<Utc>,
) -> Result<DeliveryRequest, RequestError> {
    let mut headers = HeaderMap::new();
    set(&mut headers, "content-type", &target.content_type)?;
    set(&mut headers, "user-agent", USER_AGENT)?;
    set(&mut headers, "webhook-id", &delivery.id.to_string())?;
    set_request_id(&mut headers, delivery, config)?;
    if config.add_event_id_trace_headers {
        set(&mut headers, "x-convoy-event-id", &delivery.event_id.to_string())?;
        set(&mut headers, "x-convoy-eventdelivery-id", &delivery.id.to_string())?;
    }
    if let Some(authentication) = &target.authentication {
        authenticate(&mut headers, authentication)?;
    }
    let body = body(delivery, target)?;
    sign(&mut headers, target, &config.signature, (&delivery.id.to_string(), &body), now)?;
    let forwarded = forward(&mut headers, &delivery.headers);
    set_trace(&mut headers, delivery)?;
    let redirects = if target.follow_redirects {
        Redirects::Followed { confined: forwarded.into_iter().filter(is_credential).collect() }
    } else {
        Redirects::Kept
    };
    let identity = match &target.mtls_client_cert {
        Some(stored) => Some(ClientIdentity::of(stored).ok_or(RequestError::ClientCertificate)?),
        None => None,
    };
    let (url, body, timeout) = (request_url(delivery, target)?, body.into(), timeout(target));
    Ok(DeliveryRequest { url, headers, body, timeout, identity, redirects, project: delivery.project_id })
}

/// Signs as the project asks for, with every live secret of the endpoint. A private key is no shared one: it signs what its
/// public key verifies, and nothing else.
fn sign(
    headers: &mut HeaderMap,
    target: &DeliveryTarget,
    config: &SignatureConfig,
    (id, body): (&str, &[u8]),
    now: DateTime<Utc>,
) -> Result<(), RequestError> {
    let secrets = target.live_secrets(now);
    if config.standard_webhooks != StandardWebhooks::Alone {
        let shared: Vec<&str> = secrets.iter().copied().filter(|secret| !Key::is_private(secret)).collect();
        let form = if target.advanced_signatures { SignatureForm::Advanced } else { SignatureForm::Simple };
        if let Some(value) = signature(config, form, &shared, body, now) {
            set(headers, &config.header, &value)?;
        }
    }
    if config.standard_webhooks != StandardWebhooks::Off
        && let Some(value) = posthouse_signature::signatures(&secrets, id, now.timestamp(), body)
    {
        set(headers, TIMESTAMP, &now.timestamp().to_string())?;
        set(headers, SIGNATURE, &value)?;
    }
    Ok(())
}

fn body(delivery: &OutgoingDelivery, target: &DeliveryTarget) -> Result<Vec<u8>, RequestError> {
    if delivery.payload.is_empty() {
        return Err(RequestError::Payload);
    }
    if target.content_type == "application/x-www-form-urlencoded" {
        return form::encode(&delivery.payload).map(String::into_bytes).ok_or(RequestError::Form);
    }
    Ok(delivery.payload.clone())
}

fn request_url(delivery: &OutgoingDelivery, target: &DeliveryTarget) -> Result<Url, RequestError> {
    let mut url = Url::parse(delivery.target_url.as_deref().unwrap_or(&target.url)).map_err(|_| RequestError::Url)?;
    if !delivery.url_query_params.is_empty() {
        let query = url
            .query()
            .map_or_else(|| delivery.url_query_params.clone(), |own| format!("{own}&{}", delivery.url_query_params));
        url.set_query(Some(&query));
    }
    Ok(url)
}

fn timeout(target: &DeliveryTarget) -> Duration {
    match u64::try_from(target.http_timeout_seconds) {
        Ok(0) | Err(_) => TIMEOUT_DEFAULT,
        Ok(seconds) => Duration::from_secs(seconds).min(TIMEOUT_MAX),
    }
}

fn set_request_id(
    headers: &mut HeaderMap,
    delivery: &OutgoingDelivery,
    config: &ProjectConfig,
) -> Result<(), RequestError> {
    let name = &config.request_id_header;
    if !delivery.idempotency_key.is_empty() {
        return set(headers, name, &delivery.idempotency_key);
    }
    if name.eq_ignore_ascii_case(posthouse_schema::project_config::DEFAULT_REQUEST_ID_HEADER) {
        return Ok(());
    }
    Err(RequestError::RequestId(name.clone()))
}

/// Names the delivery's span in the trace of its event, unless the caller has named one.
fn set_trace(headers: &mut HeaderMap, delivery: &OutgoingDelivery) -> Result<(), RequestError> {
    if headers.contains_key(TRACE_PARENT) {
        return Ok(());
    }
    let trace = TraceContext::of_event(delivery.event_id, &delivery.headers.0);
    set(headers, TRACE_PARENT, &trace.parent_of(span_id(delivery)))?;
    match trace.state() {
        Some(state) if !headers.contains_key(TRACE_STATE) => set(headers, TRACE_STATE, state),
        _ => Ok(()),
    }
}

/// Another one for each attempt: the random half of the delivery's id, moved on by an odd number each time.
pub(super) fn span_id(delivery: &OutgoingDelivery) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let (id, attempt) =
        (delivery.id.to_bits() & u128::from(u64::MAX), u64::try_from(delivery.attempt_count).unwrap_or(0));
    u64::try_from(id).unwrap_or(0).wrapping_add(attempt.wrapping_mul(STEP))
}

fn authenticate(headers: &mut HeaderMap, authentication: &serde_json::Value) -> Result<(), RequestError> {
    let field = |object: &str, name: &str| {
        authentication.get(object).and_then(|object| object.get(name)).and_then(|value| value.as_str())
    };
    match authentication.get("type").and_then(|kind| kind.as_str()) {
        Some("api_key") => {
            let name = field("api_key", "header_name").ok_or(RequestError::Authentication)?;
            set_credential(headers, name, field("api_key", "header_value").ok_or(RequestError::Authentication)?)
        }
        Some("basic_auth") => {
            let user = field("basic_auth", "username").ok_or(RequestError::Authentication)?;
            let password = field("basic_auth", "password").ok_or(RequestError::Authentication)?;
            set_credential(headers, "authorization", &basic(user, password))
        }
        // The token is put in just before it is sent.
        Some("oauth2") => Ok(()),
        _ => Err(RequestError::Authentication),
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), RequestError> {
    let (name, value) = header(name, value)?;
    headers.insert(name, value);
    Ok(())
}

/// As [`set`], and marks the value so that no log or record shows it.
fn set_credential(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), RequestError> {
    let (name, mut value) = header(name, value)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let invalid = || RequestError::Header(name.chars().filter(|c| !c.is_control()).take(64).collect());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    Ok((parsed, HeaderValue::from_str(value).map_err(|_| invalid())?))
}

/// Adds the event's headers that are valid, not reserved, and not set already; these are their names.
fn forward(headers: &mut HeaderMap, event: &Headers) -> Vec<HeaderName> {
    let set: Vec<HeaderName> = headers.keys().cloned().collect();
    let mut forwarded = Vec::new();
    for (name, values) in &event.0 {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if RESERVED.contains(&name.as_str()) || set.contains(&name) {
            continue;
        }
        for value in values {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
        forwarded.push(name);
    }
    forwarded
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
