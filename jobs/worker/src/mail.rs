//! Mail by SMTP, as plain text and as HTML. Addresses and headers are made by types that cannot hold a line break.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::client::{Certificate, Tls, TlsParameters},
};
use posthouse_jobs::SendEmail;
use url::Url;

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
        Self::trusting(url, from, &[])
    }

    /// The same, with the certificates (PEM) of authorities that the server's may be signed by, besides those of the web.
    ///
    /// # Errors
    /// As [`Mailer::new`], or a certificate cannot be read.
    pub fn trusting(url: &str, from: &str, authorities: &[u8]) -> Result<Self, WorkerError> {
        let unusable = |error: String| WorkerError::Mail(format!("the SMTP URL is unusable: {error}"));
        let mut transport =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| unusable(error.to_string()))?;
        if let Some(tls) = tls(url, authorities).map_err(unusable)? {
            transport = transport.tls(tls);
        }
        let from =
            from.parse().map_err(|error| WorkerError::Mail(format!("the sender's address is unusable: {error}")))?;
        Ok(Self { transport: transport.timeout(Some(TIMEOUT)).build(), from })
    }

    /// Sends one mail.
    ///
    /// # Errors
    /// The recipient is no address, or the server cannot be reached or refuses.
    pub async fn send(&self, mail: &SendEmail) -> Result<(), WorkerError> {
        let message = message(&self.from, mail)?;
        self.transport.send(message).await.map_err(|error| WorkerError::Mail(error.to_string()))?;
        Ok(())
    }
}

/// What the URL asks for, with further authorities; `None` where there are none, and what the library makes of the URL is right.
fn tls(url: &str, authorities: &[u8]) -> Result<Option<Tls>, String> {
    if authorities.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let wanted = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let mut parameters = TlsParameters::builder(url.host_str().unwrap_or_default().to_string());
    for pem in pems(authorities) {
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| error.to_string())?);
    }
    let parameters = parameters.build_rustls().map_err(|error| error.to_string())?;
    Ok(Some(match (url.scheme(), wanted.as_deref()) {
        ("smtps", _) => Tls::Wrapper(parameters),
        (_, Some("required")) => Tls::Required(parameters),
        (_, Some("opportunistic")) => Tls::Opportunistic(parameters),
        _ => Tls::None,
    }))
}

/// The certificates of a file, each by itself.
fn pems(file: &[u8]) -> Vec<Vec<u8>> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(file);
    text.split_inclusive(END).filter(|pem| pem.contains(END)).map(|pem| pem.trim().as_bytes().to_vec()).collect()
}

fn message(from: &Mailbox, mail: &SendEmail) -> Result<Message, WorkerError> {
    let to: Mailbox =
        mail.to.parse().map_err(|error| WorkerError::Mail(format!("the recipient is no address: {error}")))?;
    let subject: String = mail.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(subject.as_str())
        .multipart(MultiPart::alternative_plain_html(mail.body.clone(), html(&subject, &mail.body)))
        .map_err(|error| WorkerError::Mail(error.to_string()))
}

/// Plain text as a page: paragraphs, lines, and links where a line is one.
fn html(title: &str, text: &str) -> String {
    let mut body = String::new();
    for paragraph in text.trim().split("\n\n") {
        let lines: Vec<String> = paragraph.lines().map(line).collect();
        body += &format!("<p>{}</p>\n", lines.join("<br>\n"));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
        <body style=\"font-family: sans-serif; line-height: 1.5; max-width: 40em\">\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

fn line(text: &str) -> String {
    let escaped = escaped(text);
    let is_link = (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(char::is_whitespace);
    if is_link { format!("<a href=\"{escaped}\">{escaped}</a>") } else { escaped }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mail(to: &str, subject: &str, body: &str) -> SendEmail {
        SendEmail { to: to.into(), subject: subject.into(), body: body.into(), reason: String::new() }
    }

    #[test]
    fn text_becomes_a_page_in_which_nothing_of_others_is_markup() {
        let page = html("a <b>", "Hello <script>,\n\nplease follow:\n\nhttps://example.com/?a=\"1\"&b=2\n\none\ntwo\n");
        for part in [
            "<title>a &lt;b&gt;</title>",
            "<p>Hello &lt;script&gt;,</p>",
            "<p><a href=\"https://example.com/?a=&quot;1&quot;&amp;b=2\">https://example.com/?a=&quot;1&quot;&amp;b=2</a></p>",
            "<p>one<br>\ntwo</p>",
        ] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
        assert_eq!(line("javascript:alert(1)"), "javascript:alert(1)");
    }

    #[test]
    fn a_file_holds_several_authorities() {
        let one = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
        assert_eq!(pems(format!("# first\n{one}\n{one}\n").as_bytes()).len(), 2);
        assert!(pems(b"nothing").is_empty());
        assert!(Mailer::trusting("smtps://mail.example.com", "a@example.com", b"").is_ok());
        let broken = Mailer::trusting("smtps://user:secret@mail.example.com", "a@example.com", one.as_bytes());
        assert!(!broken.unwrap_err().to_string().contains("secret"));
    }

    proptest! {
        /// The headers are ours, whatever is in an address, a subject or a text.
        #[test]
        fn nobody_can_write_headers(
            name in "[\\PC\r\n\t]{0,20}",
            host in "[a-z]{1,8}([\r\n]{0,2}(Bcc: )?[a-z@]{0,8})?",
            subject in "[\\PC\r\n\u{0}\u{2028}:]{0,200}",
            body in "[\\PC\r\n.]{0,200}",
        ) {
            let from: Mailbox = "posthouse@example.com".parse().unwrap();
            // An address that is none is refused, which is as good.
            for to in [format!("ops@{host}.example"), format!("{name} <ops@{host}.example>")] {
                let Ok(message) = message(&from, &mail(&to, &subject, &body)) else { continue };
                let formatted = String::from_utf8(message.formatted()).unwrap();
                let head = formatted.split("\r\n\r\n").next().unwrap();
                prop_assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head:?}");
                let names: Vec<String> = head
                    .split("\r\n")
                    .filter(|line| !line.starts_with([' ', '\t']))
                    .map(|line| line.split(':').next().unwrap_or_default().to_ascii_lowercase())
                    .collect();
                let known = ["from", "to", "subject", "mime-version", "date", "content-type"];
                prop_assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}\n{head}");
                prop_assert_eq!(names.len(), known.len(), "{}", head);
                prop_assert_eq!(message.envelope().to().len(), 1);
            }
        }
    }
}
