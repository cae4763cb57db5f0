//! Why a connection was not made, in a sentence that says which check failed.

use std::error::Error;

use diesel::ConnectionError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::Failed;

/// What the client library says when the server answers that it has no TLS.
const NO_TLS: &str = "server does not support TLS";

/// The failure as callers see it.
pub(super) fn of(failed: &Failed) -> ConnectionError {
    let error = match failed {
        Failed::Setup(error) => return ConnectionError::BadConnection(error.to_string()),
        Failed::Client(error) => error,
    };
    let text = match of_tls(failed) {
        Some(fault) => in_words(fault),
        None => in_full(error),
    };
    let text = if text.contains(NO_TLS) {
        "the server offers no TLS, and sslmode does not go without (set ssl = on in postgresql.conf)".into()
    } else {
        text
    };
    ConnectionError::BadConnection(text)
}

/// What went wrong in the handshake, if it was that.
pub(super) fn of_tls(failed: &Failed) -> Option<&TlsError> {
    let Failed::Client(error) = failed else { return None };
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<TlsError>() {
            return Some(fault);
        }
        // An `io::Error` passes over what it wraps when it is asked for its source.
        if let Some(wrapped) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(fault) = wrapped.downcast_ref::<TlsError>()
        {
            return Some(fault);
        }
        cause = error.source();
    }
    None
}

fn in_words(fault: &TlsError) -> String {
    match fault {
        TlsError::InvalidCertificate(fault) => {
            format!("the server's certificate is refused: {}", of_certificate(fault))
        }
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => format!("the server refuses our certificate (sslcert): {fault}"),
        fault => format!("TLS with the server failed: {fault}"),
    }
}

fn of_certificate(fault: &CertificateError) -> String {
    match fault {
        // One with the right authority's name and another's signature is no better.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it was not issued by an authority of sslrootcert".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is not for the host that the URL names (sslmode=verify-full): {fault}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!("it has expired: {fault}"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("it is not valid yet: {fault}")
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is that of an authority itself: have the authority issue one for the server".into()
        }
        fault => fault.to_string(),
    }
}

/// The error with its causes, in one line.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
