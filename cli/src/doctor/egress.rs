//! Egress: it answers, and refuses what no webhook may reach. It is asked for the address at which clouds tell machines
//! their credentials; a proxy that is right says no without trying.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use url::Url;

use super::check::Check;

const REACHABLE: &str = "egress-reachable";
const METADATA: &str = "egress-refuses-metadata";
const ASKED: &str = "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n";
/// Longer than the proxy's own wait for a connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const HEAD_BYTES_MAX: u64 = 8_192;

/// Both checks.
pub async fn checks(egress: Option<&Url>) -> Vec<Check> {
    let Some(egress) = egress else {
        return vec![Check::skipped(
            REACHABLE,
            "no proxy is named: --egress-url. Workers apply its rules themselves then",
        )];
    };
    let asked = timeout(ANSWER_WITHIN, ask(egress)).await;
    match asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {ANSWER_WITHIN:?}"))) {
        Ok(head) => judge(&head),
        Err(error) => vec![
            Check::failed(REACHABLE, format!("{error:#}"), "start posthouse-egress, or correct --egress-url"),
            Check::skipped(METADATA, "the proxy does not answer"),
        ],
    }
}

/// The head of the answer.
async fn ask(egress: &Url) -> anyhow::Result<String> {
    let host = egress.host_str().context("the URL has no host")?.trim_matches(['[', ']']);
    let port = egress.port_or_known_default().context("the URL has no port")?;
    let mut stream = TcpStream::connect((host, port)).await.with_context(|| format!("{host}:{port} is not reached"))?;
    stream.write_all(ASKED.as_bytes()).await?;
    let (mut head, mut chunk) = (Vec::new(), [0; 1_024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = (&mut stream).take(HEAD_BYTES_MAX).read(&mut chunk).await?;
        head.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if count == 0 || head.len() as u64 > HEAD_BYTES_MAX {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn judge(head: &str) -> Vec<Check> {
    let mut lines = head.lines();
    let status: Option<u16> = lines
        .next()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let code = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("x-egress-error"))
        .map(|(_, value)| value.trim());
    let not_ours = |detail: String| {
        vec![
            Check::failed(REACHABLE, detail, "name the address of posthouse-egress with --egress-url"),
            Check::skipped(METADATA, "the proxy does not answer"),
        ]
    };
    match (status, code) {
        (None, _) => not_ours("what answers is no HTTP proxy".into()),
        (Some(407), Some(code)) => vec![
            Check::ok(REACHABLE, "the proxy answers"),
            Check::ok(METADATA, format!("169.254.169.254 is refused ({code})")),
        ],
        (Some(503), Some(code)) => vec![
            Check::warning(REACHABLE, format!("the proxy is full ({code})"), "run more of it, or raise --max-tunnels"),
            Check::skipped(METADATA, "the proxy is full"),
        ],
        (Some(200), _) => {
            vec![Check::ok(REACHABLE, "the proxy answers"), open("a connection to 169.254.169.254 is let through")]
        }
        (Some(502 | 504), Some(code)) => {
            let detail = format!("a connection to 169.254.169.254 is tried, and only failed ({code})");
            vec![Check::ok(REACHABLE, "the proxy answers"), open(&detail)]
        }
        (Some(status), _) => not_ours(format!("what answers is not posthouse-egress ({status})")),
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

    fn verdicts(head: &str) -> Vec<Verdict> {
        judge(head).iter().map(|check| check.verdict).collect()
    }

    #[test]
    fn only_a_refusal_by_rule_is_right() {
        assert_eq!(verdicts("HTTP/1.1 407 X\r\nX-Egress-Error: metadata\r\n\r\n"), [Ok, Ok]);
        assert_eq!(verdicts("HTTP/1.1 200 OK\r\n\r\n"), [Ok, Failed]);
        assert_eq!(verdicts("HTTP/1.1 502 X\r\nx-egress-error: connect_failure\r\n\r\n"), [Ok, Failed]);
        assert_eq!(verdicts("HTTP/1.1 503 X\r\nX-Egress-Error: tunnel_limit\r\n\r\n"), [Warning, Skipped]);
        for head in ["HTTP/1.1 407 X\r\n\r\n", "HTTP/1.1 404 X\r\n\r\n", "SSH-2.0-x\r\n", ""] {
            assert_eq!(verdicts(head), [Failed, Skipped], "{head:?}");
        }
    }
}
