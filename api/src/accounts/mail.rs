//! The mails of accounts, as jobs. What a person typed goes into them only where it cannot pose as ours.

use posthouse_jobs::{QueueError, SendEmail};
use posthouse_schema::plain_token::PlainToken;
use url::Url;

use crate::app::App;

/// Enqueues the mail with which a user proves that an address is theirs.
///
/// # Errors
/// The queue is away.
pub async fn verify_email(app: &App, to: &str, token: &PlainToken) -> Result<(), QueueError> {
    let link = link(&app.settings.accounts.public_url, "verify-email", token);
    let body = format!(
        "Hello,\n\nplease follow this link to show that this address is yours:\n\n{link}\n\n\
        It is valid for 24 hours. If you did not sign up, you need not do anything.\n"
    );
    send(app, to, "Verify your address", body).await
}

/// Enqueues the mail with which a user chooses a new password.
///
/// # Errors
/// The queue is away.
pub async fn reset_password(app: &App, to: &str, token: &PlainToken) -> Result<(), QueueError> {
    let link = link(&app.settings.accounts.public_url, "reset-password", token);
    let body = format!(
        "Hello,\n\nsomebody, hopefully you, asked for a new password. Follow this link to choose one:\n\n{link}\n\n\
        It is valid for 30 minutes, and once. If it was not you, you need not do anything: the old password goes on.\n"
    );
    send(app, to, "Choose a new password", body).await
}

/// Enqueues the mail that tells of an invitation.
///
/// # Errors
/// The queue is away.
pub async fn invite(app: &App, to: &str, organisation: &str, token: &PlainToken) -> Result<(), QueueError> {
    let link = link(&app.settings.accounts.public_url, "accept-invite", token);
    let organisation: String = organisation.chars().filter(|c| !c.is_control()).take(100).collect();
    let body = format!(
        "Hello,\n\nyou are invited to join the organisation \"{organisation}\". Follow this link to answer:\n\n{link}\n\n\
        It is valid for 14 days.\n"
    );
    send(app, to, "You are invited to an organisation", body).await
}

async fn send(app: &App, to: &str, subject: &str, body: String) -> Result<(), QueueError> {
    let mail = SendEmail { to: to.into(), subject: subject.into(), body, reason: String::new() };
    app.queues.push(&mail).await.map(drop)
}

fn link(public_url: &Url, page: &str, token: &PlainToken) -> String {
    let base = public_url.as_str().trim_end_matches('/');
    format!("{base}/{page}?token={}", token.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_path_that_the_dashboard_is_under() {
        let token = PlainToken::generate();
        for (base, expected) in [
            ("https://example.com", "https://example.com/verify-email?token="),
            ("https://example.com/console/", "https://example.com/console/verify-email?token="),
        ] {
            let link = link(&base.parse().unwrap(), "verify-email", &token);
            assert_eq!(link, format!("{expected}{}", token.expose()));
        }
    }
}
