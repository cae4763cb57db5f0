//! Why there is no connection.

use posthouse_egress::client::ExitError;

/// Why there is no connection; for people, without addresses that a tenant must not learn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The rules refuse the destination, by this code of `docs/egress.md`.
    #[error("refused: {0}")]
    Refused(String),
    /// Our own proxy is away or full.
    #[error("egress is unavailable: {0}")]
    EgressUnavailable(String),
    /// The name has no address, or nobody knows it.
    #[error("the host name could not be resolved")]
    Dns,
    /// No address answers.
    #[error("the connection could not be made")]
    Connect,
    /// It took longer than it may.
    #[error("the connection took too long")]
    Timeout,
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
}

impl From<ExitError> for ConnectError {
    /// Policy is 407, a proxy's own limits are 429 and 503, anything else is the endpoint's failure.
    fn from(error: ExitError) -> Self {
        let (status, code) = match error {
            ExitError::Away(why) => return Self::EgressUnavailable(why),
            ExitError::NoTunnel => return Self::Connect,
            ExitError::Answered { status, code } => (status, code),
        };
        match (status, code.as_deref()) {
            // Our own credentials at the proxy are wrong, which is no fault of the endpoint.
            (407, Some("unauthenticated")) => Self::EgressUnavailable("it does not know this worker".into()),
            (407 | 400, code) => Self::Refused(code.unwrap_or("refused_by_policy").into()),
            (429 | 503, code) => Self::EgressUnavailable(code.unwrap_or("it is full").into()),
            (_, Some("dns_failure")) => Self::Dns,
            (504, _) => Self::Timeout,
            _ => Self::Connect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn egress_is_told_apart_from_the_endpoint() {
        for (status, code, expected) in [
            (407, Some("loopback"), ConnectError::Refused("loopback".into())),
            (407, None, ConnectError::Refused("refused_by_policy".into())),
            (407, Some("unauthenticated"), ConnectError::EgressUnavailable("it does not know this worker".into())),
            (400, Some("bad_target"), ConnectError::Refused("bad_target".into())),
            (503, Some("tunnel_limit"), ConnectError::EgressUnavailable("tunnel_limit".into())),
            (429, None, ConnectError::EgressUnavailable("it is full".into())),
            (502, Some("dns_failure"), ConnectError::Dns),
            (502, Some("connect_failure"), ConnectError::Connect),
            (504, Some("dns_timeout"), ConnectError::Timeout),
            (500, None, ConnectError::Connect),
        ] {
            let error = ExitError::Answered { status, code: code.map(Into::into) };
            let is_proxys_own = error.is_proxys_own();
            assert_eq!(ConnectError::from(error), expected, "{status} {code:?}");
            assert_eq!(matches!(expected, ConnectError::EgressUnavailable(_)), is_proxys_own, "{status} {code:?}");
        }
    }
}
