//! Names: resolved once, every address judged, nothing asked twice.

use posthouse_egress::proxy::{FixedNames, Resolver};

use crate::world::{Origin, Proxy, settings};

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
