//! Why there is no way out.

use std::path::PathBuf;

use hyper::header::HeaderMap;
use url::Url;

use super::ERROR;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not that of a proxy. What it holds besides is not repeated: it may be a token.
    #[error(
        "the egress proxy's URL must be http://host:port or https://host:port, with user:password@ where it asks for one; it is of the scheme {0:?}"
    )]
    Url(String),
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, String),
    /// The files do not make a TLS set-up.
    #[error("TLS towards egress cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl ClientError {
    pub(super) fn url(url: &Url) -> Self {
        Self::Url(url.scheme().into())
    }
}

/// Why a proxy gave no tunnel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExitError {
    /// It is away: no connection, no TLS, no answer. The text is for operators.
    #[error("{0}")]
    Away(String),
    /// It answered this instead.
    #[error("it answered {status}{}", code.as_ref().map(|code| format!(" {code}")).unwrap_or_default())]
    Answered {
        /// The status.
        status: u16,
        /// The code of `docs/egress.md`.
        code: Option<String>,
    },
    /// What should be a tunnel has begun with bytes that nobody asked for.
    #[error("it answered more than a tunnel")]
    NoTunnel,
}

impl ExitError {
    /// What the head of an answer means.
    #[must_use]
    pub fn answered(status: u16, headers: &HeaderMap) -> Self {
        let code = headers.get(ERROR).and_then(|code| code.to_str().ok()).map(Into::into);
        Self::Answered { status, code }
    }

    /// Whether it is the proxy's own failure, which says nothing of the destination: another one may do better.
    #[must_use]
    pub fn is_proxys_own(&self) -> bool {
        match self {
            Self::Away(_) => true,
            Self::Answered { status: 429 | 503, .. } => true,
            Self::Answered { status: 407, code } => code.as_deref() == Some("unauthenticated"),
            Self::Answered { .. } | Self::NoTunnel => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_own_failure_is_told_from_the_destinations() {
        let answered = |status: u16, code: Option<&str>| ExitError::Answered { status, code: code.map(Into::into) };
        for own in [
            ExitError::Away("connection refused".into()),
            answered(503, Some("tunnel_limit")),
            answered(503, None),
            answered(429, Some("rate_limit")),
            answered(407, Some("unauthenticated")),
        ] {
            assert!(own.is_proxys_own(), "{own}");
        }
        for other in [answered(407, Some("loopback")), answered(407, None), answered(502, None), ExitError::NoTunnel] {
            assert!(!other.is_proxys_own(), "{other}");
        }
        assert_eq!(answered(503, Some("tunnel_limit")).to_string(), "it answered 503 tunnel_limit");
    }
}
