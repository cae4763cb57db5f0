//! Limits on guessing passwords and on asking for mails. Counted before the guess is looked at, so that many at once are many.

use std::{net::IpAddr, time::Duration};

use posthouse_schema::attempt_counter::{self, Subject};
use salvo::{conn::SocketAddr, prelude::*};

use crate::{app::App, error::ApiError};

const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Who may try how often within 15 minutes.
#[derive(Debug)]
pub struct Limit {
    subject: Subject,
    attempts_max: i32,
}

impl Limit {
    /// `parts` say what is tried, and by or on whom.
    #[must_use]
    pub fn new(attempts_max: i32, parts: &[&str]) -> Self {
        Self { subject: Subject::of(parts), attempts_max }
    }
}

/// Counts an attempt against these limits.
///
/// # Errors
/// 429 beyond a limit; 503 when the database is away.
pub async fn count(app: &App, limits: &[Limit]) -> Result<(), ApiError> {
    let subjects: Vec<Subject> = limits.iter().map(|limit| limit.subject.clone()).collect();
    let counted = attempt_counter::count(&mut *app.conn().await?, &subjects, WINDOW).await?;
    let beyond = counted.iter().filter(|counted| {
        limits.iter().any(|limit| limit.subject == counted.subject && counted.attempts > limit.attempts_max)
    });
    match beyond.map(|counted| counted.ends_in).max() {
        Some(wait) => Err(ApiError::TooManyAttempts(wait)),
        None => Ok(()),
    }
}

/// Takes the last attempt against a limit back: it was right.
///
/// # Errors
/// 503 when the database is away.
pub async fn take_back(app: &App, limit: &Limit) -> Result<(), ApiError> {
    Ok(attempt_counter::take_back(&mut *app.conn().await?, &limit.subject).await?)
}

/// Forgets the attempts against a limit: the last one was right, and what it was about is settled.
///
/// # Errors
/// 503 when the database is away.
pub async fn forget(app: &App, limit: &Limit) -> Result<(), ApiError> {
    Ok(attempt_counter::forget(&mut *app.conn().await?, &limit.subject).await?)
}

/// The address that a request comes from: the peer's, or what the proxy in front wrote last into the header of the settings.
/// IPv6 counts by its /64, which is what one customer gets.
#[must_use]
pub fn address(req: &Request, app: &App) -> String {
    client(req, app).map_or_else(|| "unknown".into(), block)
}

/// The whole address that a request comes from.
#[must_use]
pub fn client(req: &Request, app: &App) -> Option<IpAddr> {
    let named = app.settings.accounts.client_address_header.as_ref().and_then(|name| {
        let last = req.headers().get_all(name).iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    });
    let peer = match req.remote_addr() {
        SocketAddr::IPv4(peer) => Some(IpAddr::V4(*peer.ip())),
        SocketAddr::IPv6(peer) => Some(IpAddr::V6(*peer.ip())),
        _ => None,
    };
    named.or(peer).map(|address| address.to_canonical())
}

fn block(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_by_what_one_customer_has() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(block(address.parse().unwrap()), expected);
        }
    }
}
