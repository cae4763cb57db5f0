//! `posthouse-egress check URL`: what would happen, by which rule, and why.

use posthouse_egress::{Code, Denial, Host, Target, policy::Role, proxy::Resolver};
use url::Url;

/// The decision on a URL in one line, and whether it would be let out.
pub async fn check(url: &Url, role: &Role, resolver: &Resolver) -> (bool, String) {
    let (found, reported) = match decide(url, role, resolver).await {
        Ok(decided) => decided,
        Err(denial) => return (false, format!("refused: {}", text(&denial))),
    };
    let told = reported.map(|denial| format!("; told of, because the rules only report: {}", text(&denial)));
    (true, format!("allowed: {url} would be reached at {found}{}", told.unwrap_or_default()))
}

fn text(denial: &Denial) -> String {
    let rule = denial.rule().map(|rule| format!("; rule: {rule}")).unwrap_or_default();
    format!("{} ({denial}{rule})", denial.code)
}

/// The addresses with the rule that lets them through, and what would refuse them if it did not only report.
async fn decide(url: &Url, role: &Role, resolver: &Resolver) -> Result<(String, Option<Denial>), Denial> {
    let target = Target::from_url(url).map_err(|_| Denial::new(Code::BadTarget))?;
    let by_target = role.judge_target(&target)?;
    let found = match &target.host {
        Host::Address(address) => vec![(*address, target.port).into()],
        Host::Name(name) => resolver.resolve(name, target.port).await.map_err(|_| Denial::new(Code::DnsFailure))?,
    };
    let (judged, by_address) = role.judge_addresses(&found)?;
    let rule = judged.first().map(|address| role.permission(&target, *address)).unwrap_or_default();
    let addresses = judged.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    Ok((format!("{addresses} (rule: {rule})"), by_target.or(by_address)))
}
