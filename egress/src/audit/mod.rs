//! `posthouse-egress audit`: asks a running proxy for what it must refuse, over the wire and from a corpus of its own, and
//! tells of everything that was let through. What it sends is harmless where it is: no request leaves with a body.

mod cases;
mod client;

use std::{fmt, net::SocketAddr};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, stream};
use url::Url;

use self::{cases::Case, client::Verdict};
use crate::{client::TlsIdentity, rules::AddressRule};

/// Cases that are asked at once.
const CONCURRENCY: usize = 16;

/// What an audit has found.
#[derive(Debug)]
pub struct Report {
    asked: usize,
    skipped: usize,
    /// What was let through, and how.
    leaks: Vec<String>,
}

impl Report {
    /// Whether nothing was let through.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.leaks.is_empty()
    }

    /// What was let through, one line each.
    #[must_use]
    pub fn leaks(&self) -> &[String] {
        &self.leaks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for leak in &self.leaks {
            writeln!(f, "let through: {leak}")?;
        }
        let skipped = if self.skipped > 0 { format!(", {} allowed on purpose", self.skipped) } else { String::new() };
        writeln!(f, "{} cases asked{skipped}: {} let through", self.asked, self.leaks.len())
    }
}

/// Whom an audit asks, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The proxy, with the user and password of a role where it asks for them.
    pub proxy: &'a Url,
    /// Whom it believes and proves itself with, of a proxy in TLS.
    pub identity: &'a TlsIdentity,
    /// For which project it asks.
    pub project: Option<&'a str>,
}

/// Asks the proxy for every case that no permission of `allow` speaks of.
///
/// # Errors
/// The proxy cannot be reached, asks for credentials, or is full.
pub async fn run(asked: Asked<'_>, allow: &[AddressRule]) -> anyhow::Result<Report> {
    let client = client::Client::new(&asked)?;
    client.greet().await?;
    let is_meant =
        |address: SocketAddr| allow.iter().any(|rule| rule.matches(address.ip().to_canonical(), address.port()));
    let (skipped, asked): (Vec<Case>, Vec<Case>) =
        cases::all().into_iter().partition(|case| case.address.is_some_and(is_meant));
    let count = asked.len();
    let verdicts = stream::iter(asked).map(|case| {
        let client = &client;
        async move {
            let verdict = client.ask(&case.request).await;
            (case, verdict)
        }
    });
    let mut verdicts = verdicts.buffer_unordered(CONCURRENCY);
    let mut leaks = Vec::new();
    while let Some((case, verdict)) = verdicts.next().await {
        match verdict.with_context(|| format!("ask for {}", case.what))? {
            Verdict::Refused => {}
            Verdict::LetThrough(how) => leaks.push(format!("{} ({how})", case.what)),
            Verdict::Unclear(why) => bail!("the proxy cannot be audited now: {why}"),
        }
    }
    leaks.sort();
    Ok(Report { asked: count, skipped: skipped.len(), leaks })
}
