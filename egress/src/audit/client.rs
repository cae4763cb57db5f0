//! One question to a proxy over a connection of its own, and what its answer means.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::Asked;
use crate::{
    authorization::basic,
    client::{Exit, Exits, PROJECT, READY_PATH},
};

/// Longer than a proxy's own limits for names and connections.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// What the proxy made of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refused,
    /// How.
    LetThrough(String),
    /// Why nothing can be said.
    Unclear(String),
}

pub(super) struct Client {
    exit: Arc<Exit>,
    /// Header lines, or nothing.
    credentials: String,
}

impl Client {
    pub(super) fn new(asked: &Asked<'_>) -> anyhow::Result<Self> {
        let authorization = basic(asked.proxy).map(|value| format!("Proxy-Authorization: {value}\r\n"));
        let project = asked.project.map(|project| format!("{PROJECT}: {project}\r\n"));
        let credentials = [authorization, project].into_iter().flatten().collect();
        Ok(Self { exit: Exits::one(asked.proxy, asked.identity)?, credentials })
    }

    /// Whether the proxy talks to us at all: one that ends every connection would seem to refuse everything.
    pub(super) async fn greet(&self) -> anyhow::Result<()> {
        let answered = self.exit.status_of(READY_PATH, PATIENCE).await;
        answered.map(drop).with_context(|| format!("{} cannot be asked", self.exit.name()))
    }

    /// Sends the request with our credentials behind its first line.
    pub(super) async fn ask(&self, request: &str) -> anyhow::Result<Verdict> {
        let request = match request.split_once("\r\n") {
            Some((first, rest)) => format!("{first}\r\n{}{rest}", self.credentials),
            None => request.to_string(),
        };
        let mut answer = Vec::new();
        let exchange = async {
            let mut stream = self.exit.connect().await.context("connect to the proxy")?;
            stream.write_all(request.as_bytes()).await.context("write to the proxy")?;
            stream.flush().await.context("write to the proxy")?;
            // A reset, or an end without an answer, is one of the ways to refuse.
            let mut bytes = [0; 1_024];
            while !answer.ends_with(b"\r\n\r\n") && (answer.len() as u64) < ANSWER_BYTES_MAX {
                match stream.read(&mut bytes).await {
                    Ok(read @ 1..) => answer.extend(bytes.iter().take(read)),
                    Ok(0) | Err(_) => break,
                }
                if answer.windows(4).any(|part| part == b"\r\n\r\n") {
                    break;
                }
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE, exchange).await {
            Ok(done) => done?,
            Err(_) => bail!("the proxy did not answer within {} s", PATIENCE.as_secs()),
        }
        Ok(verdict(&String::from_utf8_lossy(&answer)))
    }
}

fn verdict(answer: &str) -> Verdict {
    if answer.is_empty() {
        return Verdict::Refused;
    }
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap_or_default();
    let code = answer.lines().filter_map(|line| line.split_once(':'));
    let code =
        code.filter(|(name, _)| name.eq_ignore_ascii_case("x-egress-error")).map(|(_, value)| value.trim()).next();
    match (status, code) {
        (_, Some("unauthenticated")) => Verdict::Unclear("it asks for credentials".into()),
        (_, Some("rate_limit" | "tunnel_limit" | "upstream_failure")) => {
            Verdict::Unclear(format!("it answers {status}"))
        }
        // It was let out of the rules, and failed outside.
        (_, Some(code @ ("connect_failure" | "connect_timeout" | "dns_failure" | "dns_timeout"))) => {
            Verdict::LetThrough(format!("{status} {code}"))
        }
        (_, Some(_)) => Verdict::Refused,
        ("400" | "405" | "413" | "414" | "431" | "501" | "505", None) => Verdict::Refused,
        _ => Verdict::LetThrough(format!("it answered {}", answer.lines().next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_the_proxys_own_is_one() {
        let code = |status: u16, code: &str| verdict(&format!("HTTP/1.1 {status} X\r\nX-Egress-Error: {code}\r\n\r\n"));
        assert_eq!(code(407, "loopback"), Verdict::Refused);
        assert_eq!(code(400, "bad_target"), Verdict::Refused);
        assert_eq!(verdict(""), Verdict::Refused);
        assert_eq!(verdict("HTTP/1.1 400 Bad Request\r\n\r\n"), Verdict::Refused);
        for answer in [
            code(502, "connect_failure"),
            code(504, "connect_timeout"),
            code(502, "dns_failure"),
            verdict("HTTP/1.1 200 OK\r\n\r\n"),
            verdict("HTTP/1.1 403 Forbidden\r\n\r\n"),
        ] {
            assert!(matches!(answer, Verdict::LetThrough(_)), "{answer:?}");
        }
        for answer in [code(407, "unauthenticated"), code(503, "tunnel_limit"), code(429, "rate_limit")] {
            assert!(matches!(answer, Verdict::Unclear(_)), "{answer:?}");
        }
    }
}
