//! Why there is no connection.

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

impl ConnectError {
    /// What an answer of egress itself means: policy is 407, its own limits are 429 and 503, anything else is the
    /// endpoint's failure.
    pub fn of_egress(status: u16, code: Option<&str>) -> Self {
        match (status, code) {
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
            assert_eq!(ConnectError::of_egress(status, code), expected, "{status} {code:?}");
        }
    }
}
