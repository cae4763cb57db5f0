//! What a request without an answer failed of.

use hyper_util::client::legacy;

use super::{connector::ConnectError, send::Sent};

/// A failure after the first answer. The request has arrived somewhere, and may not count as one that never left.
pub(super) fn astray(sent: Sent) -> Sent {
    match sent {
        Sent::Failed { message, .. } | Sent::EgressUnavailable(message) => {
            failed("redirect", &format!("where it was led, {message}"))
        }
        sent => sent,
    }
}

/// A failure of this class.
pub(super) fn failed(class: &'static str, message: &str) -> Sent {
    Sent::Failed { class, message: message.into() }
}

/// What the HTTP library's error means.
pub(super) fn failure(error: &legacy::Error) -> Sent {
    let causes = causes(error);
    let words: Vec<String> = causes.iter().map(ToString::to_string).collect();
    let has = |text: &str| words.iter().any(|cause| cause.contains(text));
    if let Some(error) = causes.iter().find_map(|cause| cause.downcast_ref::<ConnectError>()) {
        return error.clone().into();
    }
    match () {
        () if is_tls(&words) => ConnectError::Tls(words.last().cloned().unwrap_or_default()).into(),
        () if has("connection closed") || has("reset") => {
            failed("closed", "the endpoint closed the connection without an answer")
        }
        () => failed("protocol", "the answer was not valid HTTP"),
    }
}

impl From<ConnectError> for Sent {
    fn from(error: ConnectError) -> Self {
        let message = error.to_string();
        let class = match error {
            ConnectError::Refused(code) => return Self::Refused { code },
            ConnectError::EgressUnavailable(reason) => return Self::EgressUnavailable(reason),
            ConnectError::Dns => "dns",
            ConnectError::Connect => "connect",
            ConnectError::Timeout => "timeout",
            ConnectError::Tls(_) => "tls",
        };
        Self::Failed { class, message }
    }
}

fn causes<'e>(error: &'e (dyn std::error::Error + 'static)) -> Vec<&'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source()).collect()
}

fn is_tls(causes: &[String]) -> bool {
    // What a receiver says after the handshake, as that a certificate is missing, comes as an alert.
    let words = ["certificate", "tls", "handshake", "fatal alert", "corrupt message"];
    causes.iter().map(|cause| cause.to_ascii_lowercase()).any(|cause| words.iter().any(|word| cause.contains(word)))
}
