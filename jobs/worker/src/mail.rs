//! Mail by SMTP. Addresses and headers are made by types that cannot hold a line break.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use posthouse_jobs::SendEmail;

use crate::error::WorkerError;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection pool to one SMTP server, and the address that mail comes from.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// A mailer for a URL such as `smtps://user:password@mail.example.com`, `smtp://host:587?tls=required` or
    /// `smtp://127.0.0.1:2525`.
    ///
    /// # Errors
    /// The URL or the address cannot be read; the message does not repeat the URL, which holds a password.
    pub fn new(url: &str, from: &str) -> Result<Self, WorkerError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|error| WorkerError::Mail(format!("the SMTP URL is unusable: {error}")))?
            .timeout(Some(TIMEOUT))
            .build();
        let from =
            from.parse().map_err(|error| WorkerError::Mail(format!("the sender's address is unusable: {error}")))?;
        Ok(Self { transport, from })
    }

    /// Sends one mail of plain text.
    ///
    /// # Errors
    /// The recipient is no address, or the server cannot be reached or refuses.
    pub async fn send(&self, mail: &SendEmail) -> Result<(), WorkerError> {
        let to: Mailbox =
            mail.to.parse().map_err(|error| WorkerError::Mail(format!("the recipient is no address: {error}")))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.replace(['\r', '\n'], " "))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|error| WorkerError::Mail(error.to_string()))?;
        self.transport.send(message).await.map_err(|error| WorkerError::Mail(error.to_string()))?;
        Ok(())
    }
}
