//! Mail, by SMTP to a server that speaks it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use posthouse_jobs::{Notify, SendEmail};
use posthouse_schema::words::DeliveryStatus;
use posthouse_worker::mail::Mailer;

use crate::{
    mail_server::{Demands, MailServer},
    mutual_tls::Authority,
    receiver::{Receiver, plain},
    world::{World, config, direct, is_idle, until},
};

fn mail(to: &str, subject: &str) -> SendEmail {
    let body = "Hello.\n.\nRCPT TO:<evil@example.com>\n".into();
    SendEmail { to: to.into(), subject: subject.into(), body, reason: String::new() }
}

#[tokio::test]
async fn an_owner_is_told_once_that_an_endpoint_was_disabled() {
    let server = MailServer::start(Demands::default()).await;
    let mailer = Mailer::new(&server.url(), "Posthouse <posthouse@example.com>").unwrap();
    let mut config = config();
    (config.disable_endpoint, config.strategy.retry_count) = (true, 1);
    // The project hears of it too, and is the same mailbox.
    config.notifications.email = "OPS@example.com".into();
    let (world, receiver) = (World::start(config, direct(), Some(mailer)).await, Receiver::start().await);
    receiver.then(&[&plain("500 No", ""), &plain("500 No", "")]);
    let endpoint = world
        .endpoint(&receiver.url(), |endpoint, _| {
            endpoint.support_email = "ops@example.com".into();
            endpoint.name = "Invoices <1>".into();
        })
        .await;
    world
        .queues
        .push_all(&[world.event(endpoint, "invoice.paid"), world.event(endpoint, "invoice.paid")])
        .await
        .unwrap();
    until("a mail", async || !server.mails().is_empty()).await;
    until("both events are worked on", async || {
        is_idle::<Notify>(&world).await && is_idle::<SendEmail>(&world).await && world.deliveries().await.len() == 2
    })
    .await;
    let deliveries = world.deliveries().await;
    assert!(deliveries.iter().any(|delivery| delivery.status == DeliveryStatus::Failure), "{deliveries:?}");
    let mails = server.mails();
    let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
    // Long lines are broken, and mended by whoever reads the mail.
    let mail = mail.replace("=\n", "").replace("=3D", "=");
    for part in [
        "MAIL FROM:<posthouse@example.com>",
        "RCPT TO:<OPS@example.com>",
        "From: \"Posthouse\" <posthouse@example.com>",
        "To: OPS@example.com",
        "Subject: Endpoint Invoices <1> was disabled",
        "multipart/alternative",
        "The endpoint Invoices <1> (http",
        "until it is activated again, because a delivery to it ran out of attempts.",
        "<p>The endpoint Invoices &lt;1&gt; (http",
    ] {
        assert!(mail.contains(part) || mail.contains(&part.replace('"', "")), "{part:?} is not in\n{mail}");
    }
    world.stop().await;
}

#[tokio::test]
async fn nobody_can_write_headers_through_an_address_or_a_subject() {
    let server = MailServer::start(Demands::default()).await;
    let mailer = Mailer::new(&server.url(), "posthouse@example.com").unwrap();
    assert!(mailer.send(&mail("ops@example.com\r\nBcc: evil@example.com", "x")).await.is_err());
    mailer.send(&mail("ops@example.com", "x\r\nBcc: evil@example.com")).await.unwrap();
    until("a mail", async || !server.mails().is_empty()).await;
    let mails = server.mails();
    let [sent] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(!sent.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{sent}");
    let envelope = sent.lines().take_while(|line| *line != "DATA").filter(|line| line.starts_with("RCPT")).count();
    assert_eq!(envelope, 1, "{sent}");
}

#[tokio::test]
async fn mail_goes_over_starttls_to_a_server_that_asks_who_is_there() {
    let authority = Authority::new();
    let credentials = |words: &str| Some(STANDARD.encode(words));
    let demands = Demands { tls: Some(authority.acceptor()), credentials: credentials("\0ann\0se:cret") };
    let server = MailServer::start(demands).await;
    let mailer = |user: &str, authorities: &[u8]| {
        let url = format!("smtp://{user}@127.0.0.1:{}?tls=required", server.port);
        Mailer::trusting(&url, "posthouse@example.com", authorities).unwrap()
    };
    let trusted = authority.pem();
    mailer("ann:se%3Acret", trusted.as_bytes()).send(&mail("ops@example.com", "private")).await.unwrap();
    let wrong = mailer("ann:guess", trusted.as_bytes()).send(&mail("ops@example.com", "x")).await.unwrap_err();
    assert!(wrong.to_string().contains("Who are you?") && !wrong.to_string().contains("guess"), "{wrong}");
    let stranger = mailer("ann:se%3Acret", Authority::new().pem().as_bytes());
    assert!(stranger.send(&mail("ops@example.com", "x")).await.is_err(), "its certificate is of nobody we know");
    assert!(mailer("ann:se%3Acret", &[]).send(&mail("ops@example.com", "x")).await.is_err());
    let mails = server.mails();
    let [sent] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(sent.contains("Subject: private"), "{sent}");
    // Without TLS it takes nothing, and so gets no password either.
    let unencrypted = Mailer::new(&format!("smtp://127.0.0.1:{}", server.port), "posthouse@example.com").unwrap();
    assert!(unencrypted.send(&mail("ops@example.com", "x")).await.is_err());
}
