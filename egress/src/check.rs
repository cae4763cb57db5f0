//! `posthouse-egress check URL`: what would happen, and why.

use posthouse_egress::{Code, Denial, Host, Rules, Target, proxy::Resolver};
use url::Url;

/// The decision on a URL in one line, and whether it would be let out.
pub async fn check(url: &Url, rules: &Rules) -> (bool, String) {
    match decide(url, rules).await {
        Ok(addresses) => (true, format!("allowed: {url} would be reached at {addresses}")),
        Err(denial) => (false, format!("refused: {} ({})", denial.code, denial)),
    }
}

async fn decide(url: &Url, rules: &Rules) -> Result<String, Denial> {
    let target = Target::from_url(url).map_err(|_| Denial::new(Code::BadTarget))?;
    rules.judge_target(&target)?;
    let Host::Name(name) = &target.host else { return Ok(url.host_str().unwrap_or_default().to_string()) };
    let found = Resolver::System.resolve(name, target.port).await.map_err(|_| Denial::new(Code::DnsFailure))?;
    let judged = rules.judge_addresses(&found)?;
    Ok(judged.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", "))
}
