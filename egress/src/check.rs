//! `posthouse-egress check URL`: what would happen, by which rule, and why; or what a running proxy makes of it.

use anyhow::Context as _;
use hyper::header::HeaderValue;
use posthouse_egress::{
    Code, Denial, Host, Target,
    client::{ExitError, Exits, TlsIdentity},
    policy::Role,
    proxy::Resolver,
};
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

/// What a running proxy answers when it is asked for a connection to the URL's host, and whether it made one.
pub async fn ask(
    url: &Url,
    proxy: &Url,
    identity: &TlsIdentity,
    project: Option<&str>,
) -> anyhow::Result<(bool, String)> {
    let Ok(target) = Target::from_url(url) else {
        return Ok((false, format!("refused: {}", text(&Denial::new(Code::BadTarget)))));
    };
    let project = project.map(HeaderValue::try_from).transpose().context("a project cannot be named so")?;
    let exit = Exits::one(proxy, identity)?;
    Ok(match exit.tunnel(&target.to_string(), project.as_ref()).await {
        Ok(tunnel) => {
            let told = tunnel.headers.get("x-egress-connection").and_then(|told| told.to_str().ok());
            (true, format!("allowed: {url} was connected to ({})", told.unwrap_or("the proxy tells nothing of it")))
        }
        Err(error @ ExitError::Away(_)) => anyhow::bail!("{} cannot be asked: {error}", exit.name()),
        Err(error) => (false, format!("refused: {error}")),
    })
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
