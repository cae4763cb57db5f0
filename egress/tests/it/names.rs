//! Names: resolved once, every address judged, nothing asked twice.

use posthouse_egress::proxy::{FixedNames, NameServers, Resolver, Settings};

use crate::{
    name_server::{Answer, NameServer},
    world::{Origin, Proxy, settings, until},
};

#[tokio::test]
async fn one_refused_address_refuses_the_name_whatever_the_order() {
    let names = FixedNames::default()
        .with("public-then-metadata.example", &[&["93.184.216.34", "169.254.169.254"]])
        .with("metadata-then-public.example", &[&["169.254.169.254", "93.184.216.34"]])
        .with("private6.example", &[&["fd00::1"]])
        .with("mapped.example", &[&["::ffff:10.0.0.1"]])
        .with("nothing.example", &[&[]]);
    let mut settings = settings(&[]);
    settings.resolver = Resolver::Fixed(names);
    let proxy = Proxy::start(settings).await;
    for (name, status, code) in [
        ("public-then-metadata.example", 407, "metadata"),
        ("metadata-then-public.example", 407, "metadata"),
        ("private6.example", 407, "private_address"),
        ("mapped.example", 407, "private_address"),
        ("nothing.example", 502, "dns_failure"),
        ("unknown.example", 502, "dns_failure"),
        ("metadata.google.internal", 407, "denied_host"),
    ] {
        assert_eq!(proxy.refused(&format!("{name}:443")).await, (status, code.to_string()), "{name}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_name_that_changes_after_it_was_judged_is_not_asked_again() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let mut settings = settings(&[origin.address]);
    // The first answer is allowed; whoever asked twice would get the second.
    settings.resolver =
        Resolver::Fixed(FixedNames::default().with("rebind.example", &[&["127.0.0.1"], &["127.0.0.2"]]));
    let proxy = Proxy::start(settings).await;
    let target = format!("rebind.example:{}", origin.address.port());
    proxy.tunnel(&target).await;
    assert_eq!(proxy.refused(&target).await, (407, "loopback".into()));
    proxy.stop().await;
}

/// Settings whose names are answered for by this server.
async fn settings_with(server: &NameServer, allow: &[std::net::SocketAddr]) -> Settings {
    let servers = NameServers::new(&[server.start().await], 100).unwrap();
    Settings { resolver: Resolver::Servers(servers), ..settings(allow) }
}

#[tokio::test]
async fn names_are_asked_for_over_the_wire_and_every_answer_is_judged() {
    let origin = Origin::echo().await;
    let many: Vec<String> = (2..62).map(|last| format!("127.0.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let failing = |rcode| Answer { rcode, ..Answer::default() };
    let server = NameServer::default()
        .with("ok.example", &[Answer::addresses(&["127.0.0.1"], 60)])
        .with("ok_under.example", &[Answer::addresses(&["127.0.0.1"], 60)])
        .with("chain.example", &[Answer::alias("second.example")])
        .with("second.example", &[Answer::alias("third.example")])
        .with("third.example", &[Answer::addresses(&["127.0.0.1"], 60)])
        .with("inside.example", &[Answer::alias("db.corp.example")])
        .with("db.corp.example", &[Answer::addresses(&["10.0.0.7"], 60)])
        .with("number.example", &[Answer::alias("2130706433")])
        .with("mixed.example", &[Answer::addresses(&["127.0.0.1", "169.254.169.254"], 60)])
        .with("families.example", &[Answer::addresses(&["127.0.0.1", "::1"], 60)])
        .with("mapped.example", &[Answer::addresses(&["::ffff:169.254.169.254"], 60)])
        .with("nat64.example", &[Answer::addresses(&["64:ff9b::7f00:1"], 60)])
        .with("many.example", &[Answer::addresses(&many, 60)])
        .with("empty.example", &[Answer::default()])
        .with("failing.example", &[failing(2)])
        .with("refusing.example", &[failing(5)])
        .with("junk.example", &[Answer { is_junk: true, ..Answer::default() }])
        .with("circle.example", &[Answer::alias("circle.example")]);
    let proxy = Proxy::start(settings_with(&server, &[origin.address]).await).await;
    let port = origin.address.port();
    for name in ["ok.example", "OK.Example.", "ok_under.example", "chain.example"] {
        proxy.tunnel(&format!("{name}:{port}")).await;
    }
    for (name, code) in [
        ("inside.example", "private_address"),
        ("mixed.example", "metadata"),
        ("families.example", "loopback"),
        ("mapped.example", "metadata"),
        ("nat64.example", "embedded_v4"),
        ("many.example", "loopback"),
        ("empty.example", "dns_failure"),
        ("failing.example", "dns_failure"),
        ("refusing.example", "dns_failure"),
        ("nothing.example", "dns_failure"),
        ("number.example", "dns_failure"),
        ("circle.example", "dns_failure"),
    ] {
        assert_eq!(proxy.refused(&format!("{name}:{port}")).await.1, code, "{name}");
    }
    let (status, code) = proxy.refused(&format!("junk.example:{port}")).await;
    assert!(matches!((status, code.as_str()), (502, "dns_failure") | (504, "dns_timeout")), "{status} {code}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_name_that_flips_reaches_only_what_was_judged() {
    let (origin, other) = (Origin::echo().await, Origin::echo().await);
    let answers = [Answer::addresses(&["127.0.0.1"], 0), Answer::addresses(&["127.0.0.2"], 0)];
    let server = NameServer::default().cycling("flip.example", &answers);
    let proxy = Proxy::start(settings_with(&server, &[origin.address]).await).await;
    let target = format!("flip.example:{}", origin.address.port());
    for _ in 0..10 {
        proxy.tunnel(&target).await;
        assert_eq!(proxy.refused(&target).await, (407, "loopback".into()));
    }
    assert_eq!(server.asked("flip.example"), 20, "each request asks once");
    assert_eq!(other.clients(), []);
    proxy.stop().await;
}

#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_it_says() {
    let origin = Origin::echo().await;
    let server = NameServer::default()
        .with("kept.example", &[Answer::addresses(&["127.0.0.1"], 60), Answer::addresses(&["10.0.0.7"], 60)])
        .with("brief.example", &[Answer::addresses(&["127.0.0.1"], 1), Answer::addresses(&["10.0.0.7"], 1)]);
    let proxy = Proxy::start(settings_with(&server, &[origin.address]).await).await;
    let port = origin.address.port();
    for _ in 0..3 {
        proxy.tunnel(&format!("kept.example:{port}")).await;
    }
    assert_eq!(server.asked("kept.example"), 1);
    proxy.tunnel(&format!("brief.example:{port}")).await;
    let brief = format!("brief.example:{port}");
    until("the answer is over", async || !proxy.reaches(&brief).await).await;
    assert_eq!(proxy.refused(&format!("brief.example:{port}")).await.1, "private_address");
    proxy.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_time_out() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = NameServers::new(&[silent.local_addr().unwrap()], 100).unwrap();
    let dns_timeout = std::time::Duration::from_millis(300);
    let proxy = Proxy::start(Settings { resolver: Resolver::Servers(servers), dns_timeout, ..settings(&[]) }).await;
    assert_eq!(proxy.refused("slow.example:443").await, (504, "dns_timeout".into()));
    proxy.stop().await;
}
