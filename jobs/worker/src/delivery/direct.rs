//! Sending without an egress proxy: the same rules, applied in-process to every address at connect time, so that a name
//! which changes its answer between look-ups gains nothing.

use std::{net::SocketAddr, sync::Arc};

use posthouse_egress::{Denial, Rules};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

/// A refusal on its way through the HTTP client's errors.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0}")]
struct Refused(Denial);

/// Resolves names, and answers only with addresses that the rules allow.
#[derive(Debug)]
pub(super) struct JudgedResolver {
    rules: Arc<Rules>,
}

impl JudgedResolver {
    pub(super) const fn new(rules: Arc<Rules>) -> Self {
        Self { rules }
    }
}

impl Resolve for JudgedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.rules);
        Box::pin(async move {
            // The client fills in the URL's port, which was judged with the URL; rules for one port do not open a name.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let judged = rules.judge_resolved(&found).map_err(Refused)?;
            Ok(Box::new(judged.into_iter()) as Addrs)
        })
    }
}

/// Judges what the resolver is never asked about: literal addresses, names that are denied by themselves, and ports.
///
/// # Errors
/// The code of the rule that refuses.
pub(super) fn judge_literal(rules: &Rules, url: &Url) -> Result<(), String> {
    rules.judge_url(url).map_err(|denial| denial.code.to_string())
}

/// The code of the refusal that caused this error, if one did.
pub(super) fn refused_code(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(denial)) = error.downcast_ref() {
            return Some(denial.code.to_string());
        }
        cause = error.source();
    }
    None
}
