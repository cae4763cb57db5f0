//! Mail, by SMTP to a server that speaks it.

use std::sync::{Arc, Mutex};

use posthouse_jobs::SendEmail;
use posthouse_schema::words::DeliveryStatus;
use posthouse_worker::mail::Mailer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct, is_idle, until},
};

/// A mail server that takes everything; the lines of each mail's envelope and text.
async fn mail_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let mails = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&mails);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let (reading, mut writing) = stream.into_split();
                let mut lines = BufReader::new(reading).lines();
                writing.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
                let (mut mail, mut is_text) = (String::new(), false);
                while let Ok(Some(line)) = lines.next_line().await {
                    mail.push_str(&line);
                    mail.push('\n');
                    let reply: &[u8] = match (is_text, line.get(..4).unwrap_or(&line)) {
                        (true, ".") => {
                            kept.lock().unwrap().push(std::mem::take(&mut mail));
                            is_text = false;
                            b"250 2.0.0 Ok\r\n"
                        }
                        (true, _) => continue,
                        (false, "EHLO") => b"250 mail.example.com\r\n",
                        (false, "DATA") => {
                            is_text = true;
                            b"354 Go on\r\n"
                        }
                        (false, "QUIT") => b"221 Bye\r\n",
                        (false, _) => b"250 Ok\r\n",
                    };
                    if writing.write_all(reply).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, mails)
}

#[tokio::test]
async fn an_owner_is_told_once_that_an_endpoint_was_disabled() {
    let (url, mails) = mail_server().await;
    let mailer = Mailer::new(&url, "Posthouse <posthouse@example.com>").unwrap();
    let mut config = config();
    (config.disable_endpoint, config.strategy.retry_count) = (true, 1);
    let (world, receiver) = (World::start(config, direct(), Some(mailer)).await, Receiver::start().await);
    receiver.then(&[&plain("500 No", ""), &plain("500 No", "")]);
    let endpoint = world
        .endpoint(&receiver.url(), |endpoint, _| {
            endpoint.support_email = "ops@example.com".into();
            endpoint.name = "Invoices".into();
        })
        .await;
    world
        .queues
        .push_all(&[world.event(endpoint, "invoice.paid"), world.event(endpoint, "invoice.paid")])
        .await
        .unwrap();
    until("a mail", async || !mails.lock().unwrap().is_empty()).await;
    until("both events are worked on", async || {
        is_idle::<SendEmail>(&world).await && world.deliveries().await.len() == 2
    })
    .await;
    let deliveries = world.deliveries().await;
    assert!(deliveries.iter().any(|delivery| delivery.status == DeliveryStatus::Failure), "{deliveries:?}");
    let mails = mails.lock().unwrap().clone();
    let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
    for part in [
        "MAIL FROM:<posthouse@example.com>",
        "RCPT TO:<ops@example.com>",
        "From: \"Posthouse\" <posthouse@example.com>",
        "To: ops@example.com",
        "Subject: Endpoint Invoices was disabled",
        "until it is activated again, because a delivery to it ran out of attempts.",
    ] {
        assert!(mail.contains(part) || mail.contains(&part.replace('"', "")), "{part:?} is not in\n{mail}");
    }
    world.stop().await;
}

#[tokio::test]
async fn nobody_can_write_headers_through_an_address_or_a_subject() {
    let (url, mails) = mail_server().await;
    let mailer = Mailer::new(&url, "posthouse@example.com").unwrap();
    let mail = |to: &str, subject: &str| SendEmail {
        to: to.into(),
        subject: subject.into(),
        body: "Hello.\n.\nRCPT TO:<evil@example.com>\n".into(),
        reason: String::new(),
    };
    assert!(mailer.send(&mail("ops@example.com\r\nBcc: evil@example.com", "x")).await.is_err());
    mailer.send(&mail("ops@example.com", "x\r\nBcc: evil@example.com")).await.unwrap();
    until("a mail", async || !mails.lock().unwrap().is_empty()).await;
    let mails = mails.lock().unwrap().clone();
    let [sent] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(!sent.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{sent}");
    let envelope = sent.lines().take_while(|line| *line != "DATA").filter(|line| line.starts_with("RCPT")).count();
    assert_eq!(envelope, 1, "{sent}");
}
