//! Egress: each instance answers, and refuses what no webhook may reach. It is asked for the address at which clouds tell
//! machines their credentials; a proxy that is right says no without trying.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use reqwest::{Certificate, Client, Identity, Proxy, redirect};
use url::Url;

use super::check::Check;
use crate::services::EgressAddresses;

const REACHABLE: &str = "egress-reachable";
const METADATA: &str = "egress-refuses-metadata";
const ASKED: &str = "http://169.254.169.254/";
/// Longer than the proxy's own wait for a connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Both checks of each instance.
pub async fn checks(egress: &EgressAddresses<'_>) -> Vec<Check> {
    if egress.urls.is_empty() {
        return vec![Check::skipped(
            REACHABLE,
            "no proxy is named: --egress-url. Workers apply its rules themselves then",
        )];
    }
    let each = join_all(egress.urls.iter().map(|url| check(url, egress))).await;
    let all = each.into_iter().zip(egress.urls).flat_map(|(checks, url)| {
        let name = if egress.urls.len() > 1 { format!("{}: ", name(url)) } else { String::new() };
        checks.into_iter().map(move |check| Check { detail: format!("{name}{}", check.detail), ..check })
    });
    all.collect()
}

/// Without what else a URL may hold.
fn name(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

async fn check(url: &Url, egress: &EgressAddresses<'_>) -> Vec<Check> {
    match ask(url, egress).await {
        Ok(answer) => judge(&answer),
        Err(error) => vec![
            Check::failed(REACHABLE, format!("{error:#}"), "start posthouse-egress, or correct --egress-url"),
            Check::skipped(METADATA, "the proxy does not answer"),
        ],
    }
}

/// What was answered.
struct Answer {
    status: u16,
    /// The code of a refusal.
    code: Option<String>,
    /// The proxy tells of a connection that it made.
    is_connected: bool,
}

async fn ask(url: &Url, egress: &EgressAddresses<'_>) -> anyhow::Result<Answer> {
    let read =
        |path: &std::path::Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
    let proxy = Proxy::all(url.clone()).context("the URL is not that of a proxy")?;
    let mut builder = Client::builder().proxy(proxy).redirect(redirect::Policy::none()).timeout(ANSWER_WITHIN);
    if let Some(path) = egress.ca_file {
        let found = Certificate::from_pem_bundle(&read(path)?);
        for certificate in found.with_context(|| format!("{} holds no certificate", path.display()))? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let Some((chain, key)) = egress.identity {
        let pem = [read(chain)?, b"\n".to_vec(), read(key)?].concat();
        builder = builder.identity(Identity::from_pem(&pem).context("the client certificate cannot be used")?);
    }
    let client = builder.build().context("TLS towards egress cannot be set up")?;
    let answer = client.head(ASKED).send().await;
    let answer =
        answer.map_err(reqwest::Error::without_url).with_context(|| format!("{} is not reached", name(url)))?;
    let code = answer.headers().get("x-egress-error").and_then(|code| code.to_str().ok()).map(Into::into);
    let is_connected = answer.headers().contains_key("x-egress-connection");
    Ok(Answer { status: answer.status().as_u16(), code, is_connected })
}

fn judge(answer: &Answer) -> Vec<Check> {
    let not_ours = |detail: String| {
        vec![
            Check::failed(REACHABLE, detail, "name the address of posthouse-egress with --egress-url"),
            Check::skipped(METADATA, "the proxy does not answer"),
        ]
    };
    match (answer.status, answer.code.as_deref()) {
        (407, Some("unauthenticated")) => vec![
            Check::failed(
                REACHABLE,
                "the proxy asks for a role (unauthenticated)",
                "give workers the role's token in --egress-url, or its certificate with --egress-client-cert",
            ),
            Check::skipped(METADATA, "the proxy answers nothing without a role"),
        ],
        (407, Some(code)) => vec![
            Check::ok(REACHABLE, "the proxy answers"),
            Check::ok(METADATA, format!("169.254.169.254 is refused ({code})")),
        ],
        (429 | 503, Some(code)) => vec![
            Check::warning(REACHABLE, format!("the proxy is full ({code})"), "run more of it, or raise --max-tunnels"),
            Check::skipped(METADATA, "the proxy is full"),
        ],
        (502 | 504, Some(code)) => {
            let detail = format!("a connection to 169.254.169.254 is tried, and only failed ({code})");
            vec![Check::ok(REACHABLE, "the proxy answers"), open(&detail)]
        }
        (_, None) if answer.is_connected => {
            vec![Check::ok(REACHABLE, "the proxy answers"), open("a request to 169.254.169.254 is let through")]
        }
        (status, _) => not_ours(format!("what answers is not posthouse-egress ({status})")),
    }
}

fn open(detail: &str) -> Check {
    let remedy =
        "take 169.254.0.0/16 out of --allow of posthouse-egress: any customer could read the machine's credentials";
    Check::failed(METADATA, detail, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict::{self, Failed, Ok, Skipped, Warning};

    fn verdicts(status: u16, code: Option<&str>) -> Vec<Verdict> {
        let answer = Answer { status, code: code.map(Into::into), is_connected: code.is_none() && status == 200 };
        judge(&answer).iter().map(|check| check.verdict).collect()
    }

    #[test]
    fn only_a_refusal_by_rule_is_right() {
        assert_eq!(verdicts(407, Some("metadata")), [Ok, Ok]);
        assert_eq!(verdicts(407, Some("unauthenticated")), [Failed, Skipped]);
        assert_eq!(verdicts(200, None), [Ok, Failed]);
        assert_eq!(verdicts(502, Some("connect_failure")), [Ok, Failed]);
        for status in [429, 503] {
            assert_eq!(verdicts(status, Some("tunnel_limit")), [Warning, Skipped]);
        }
        for status in [404, 500, 503] {
            assert_eq!(verdicts(status, None), [Failed, Skipped], "{status}");
        }
    }
}
