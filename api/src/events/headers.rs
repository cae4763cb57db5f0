//! Headers that a caller adds to deliveries: refused where they could break a request apart or speak for the connection.

use std::collections::BTreeMap;

use salvo::http::{HeaderName, HeaderValue};

use crate::error::ApiError;

const HEADERS_MAX: usize = 64;
const BYTES_MAX: usize = 16 * 1024;
/// Of the connection or the framing, and those under which a request's trace is kept.
const REFUSED: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "posthouse-traceparent",
    "posthouse-tracestate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers as they are stored.
///
/// # Errors
/// 400 naming the header.
pub fn checked(headers: BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "custom_headers: at most {HEADERS_MAX} headers of {BYTES_MAX} bytes together are accepted"
        )));
    }
    for (name, value) in &headers {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(ApiError::invalid(format!("custom_headers: {shown:?} is not a header name")));
        }
        if HeaderValue::from_str(value).is_err() {
            return Err(ApiError::invalid(format!(
                "custom_headers: the value of {shown} holds characters that no header can"
            )));
        }
        if REFUSED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(ApiError::invalid(format!("custom_headers: {shown} cannot be set")));
        }
    }
    Ok(headers.into_iter().map(|(name, value)| (name, vec![value])).collect())
}
