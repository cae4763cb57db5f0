//! What a proxy for webhooks must refuse. The addresses are chosen from the registries themselves and not from the tables
//! of the rules, so that a row that is missing there is found.

use std::net::SocketAddr;

use crate::rules::{Host, Target};

/// A question.
#[derive(Debug)]
pub(super) struct Case {
    /// What is asked for, for people.
    pub(super) what: String,
    /// The request's head.
    pub(super) request: String,
    /// The address that it means, if it is a literal one.
    pub(super) address: Option<SocketAddr>,
}

/// First, last or well-known addresses of every range of the IANA special-purpose registries, and of what stands in none.
const ADDRESSES: [&str; 104] = [
    // RFC 791, 1122: this network.
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    // RFC 1918, 6598: private, shared.
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.0",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.0.1",
    "192.168.255.255",
    "100.64.0.0",
    "100.64.0.1",
    "100.127.255.255",
    // RFC 1122, 3927: loopback, link local.
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "169.254.0.0",
    "169.254.0.1",
    "169.254.255.255",
    // RFC 6890, 7335, 7600, 8155: protocol assignments.
    "192.0.0.0",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.170",
    "192.0.0.255",
    // RFC 5737: documentation. RFC 7526: 6to4 relays. RFC 2544: benchmarks.
    "192.0.2.0",
    "192.0.2.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.255",
    "192.88.99.1",
    "198.18.0.0",
    "198.19.255.255",
    // RFC 5771, 1112, 919: multicast, reserved, broadcast.
    "224.0.0.0",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.0",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    // Metadata and credentials of the clouds.
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.169.253",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[fd20:ce::254]",
    // RFC 4291: unspecified, loopback, mapped, compatible.
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:0.0.0.0]",
    "[0:0:0:0:0:ffff:192.168.0.1]",
    "[::127.0.0.1]",
    "[::a9fe:a9fe]",
    "[::ffff:0:127.0.0.1]",
    "[::ffff:0:a9fe:a9fe]",
    // RFC 6052, 8215: NAT64. RFC 3056, 4380: 6to4, Teredo.
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::808:808]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:808:808::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    // RFC 6666, 9780: discard. RFC 2928 and its rows.
    "[100::1]",
    "[100:0:0:1::1]",
    "[2001:1::1]",
    "[2001:2::1]",
    "[2001:3::1]",
    "[2001:4:112::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:30::1]",
    "[2001:1ff:ffff::1]",
    // RFC 3849, 9637, 9602: documentation, segment routing.
    "[2001:db8::1]",
    "[3fff::1]",
    "[3fff:fff:ffff::1]",
    "[5f00::1]",
    // RFC 4193, 4291, 3879: unique local, link local, site local, multicast.
    "[fc00::1]",
    "[fd00::1]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf:ffff::1]",
    "[fec0::1]",
    "[feff::1]",
    "[ff02::1]",
    "[ff0e::1]",
    // Outside global unicast.
    "[200::1]",
    "[4000::1]",
    "[8000::1]",
    "[e000::1]",
    "[1000::1]",
    "[1fff:ffff::1]",
];

/// Spellings that some parser takes for an internal address, or for another host than the next parser does.
const SPELLINGS: [&str; 62] = [
    "2130706433:80",
    "017700000001:80",
    "0x7f000001:80",
    "0X7F000001:80",
    "0x7f.1:80",
    "0x7f.0.0.1:80",
    "0177.0.0.1:80",
    "0177.00.00.01:80",
    "127.1:80",
    "127.0.1:80",
    "127.0.0.01:80",
    "127.000.000.001:80",
    "127.0.0.1.:80",
    "0:80",
    "0.0:80",
    "0x0:80",
    "2852039166:80",
    "0xa9fea9fe:80",
    "0251.0376.0251.0376:80",
    "169.254.43518:80",
    "169.254.169.254.:80",
    "3232235521:80",
    "0xc0.0250.1:80",
    "1.2.3.4.5:80",
    "256.256.256.256:80",
    "①②⑦.⓪.⓪.①:80",
    "127。0。0。1:80",
    "１２７.0.0.1:80",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:80",
    "loca\u{ad}lhost:80",
    "local\u{200d}host:80",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:+80",
    "127.0.0.1:-1",
    "127.0.0.1:http",
    "127.0.0.1:80:80",
    "::1:80",
    "[::1:80",
    "::1]:80",
    "[[::1]]:80",
    "[]:80",
    "[127.0.0.1]:80",
    "[::1]x:80",
    "[::1%25lo]:80",
    "[fe80::1%lo]:80",
    "[fe80::1%25eth0]:80",
    "user@127.0.0.1:80",
    "user:password@127.0.0.1:80",
    "example.com:443@127.0.0.1:80",
    "example.com:443#@127.0.0.1:80",
    "127.0.0.1:80/path",
    "127.0.0.1\\@example.com:443",
    "//127.0.0.1:80",
    "http://127.0.0.1:80",
    "%31%32%37.0.0.1:80",
    "127.0.0.1%3a80",
    "example.com%00.evil:443",
    "xn--a:443",
    ".:443",
];

/// Names that mean this machine, its network or its cloud, whatever they resolve to.
const NAMES: [&str; 22] = [
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "a.localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "broadcasthost",
    "metadata",
    "metadata.google.internal",
    "METADATA.GOOGLE.INTERNAL.",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
    "printer.local",
    "db.internal",
    "router.home.arpa",
    "host.docker.internal",
    "kubernetes.default.svc.cluster.local",
    "xn--a.localhost",
];

/// Ports of services to which a request over HTTP would mean something else.
const PORTS: [u16; 16] = [1, 7, 19, 21, 22, 23, 25, 53, 110, 111, 135, 143, 389, 445, 465, 587];

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for address in ADDRESSES {
        cases.push(connect(&format!("{address}:80")));
        cases.push(forward(&format!("http://{address}/")));
    }
    cases.extend(SPELLINGS.map(connect));
    for name in NAMES {
        cases.push(connect(&format!("{name}:443")));
        cases.push(forward(&format!("http://{name}/")));
    }
    // 192.31.196.1 belongs to AS112, which answers nothing of the kind: what is asked is only whether the port is open.
    cases.extend(PORTS.map(|port| connect(&format!("192.31.196.1:{port}"))));
    cases.extend(heads());
    cases
}

fn connect(target: &str) -> Case {
    case(format!("CONNECT {target}"), target, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"))
}

fn forward(url: &str) -> Case {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let request = format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    case(format!("GET {url}"), &format!("{authority}:80"), request)
}

fn case(what: String, target: &str, request: String) -> Case {
    let address = match Target::from_authority(target) {
        Ok(Target { host: Host::Address(address), port }) => Some(SocketAddr::new(address, port)),
        _ => None,
    };
    Case { what, request, address }
}

/// Whole heads: what a proxy must not be steered by, and what is not for a proxy.
fn heads() -> Vec<Case> {
    let inside = "127.0.0.1:80";
    let steered =
        ["X-Upstream-Https-Proxy", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "X-Real-IP"];
    let mut heads = vec![
        ("another Host", format!("CONNECT {inside} HTTP/1.1\r\nHost: example.com:443\r\n\r\n")),
        ("two Hosts", format!("CONNECT {inside} HTTP/1.1\r\nHost: example.com:443\r\nHost: {inside}\r\n\r\n")),
        ("HTTP/1.0 without a Host", format!("CONNECT {inside} HTTP/1.0\r\n\r\n")),
        (
            "a request behind a length",
            format!(
                "CONNECT {inside} HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\nCONNECT {inside} HTTP/1.1\r\nHost: x\r\n\r\n"
            ),
        ),
        (
            "a request behind chunks",
            format!(
                "CONNECT {inside} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nCONNECT {inside} HTTP/1.1\r\n\r\n"
            ),
        ),
        ("tabs", format!("CONNECT\t{inside}\tHTTP/1.1\r\nHost: x\r\n\r\n")),
        ("no version", format!("CONNECT {inside}\r\n\r\n")),
        ("a space before a colon", format!("CONNECT {inside} HTTP/1.1\r\nHost : {inside}\r\n\r\n")),
        ("a zero byte", format!("CONNECT {inside} HTTP/1.1\r\nHost: {inside}\r\nX: a\0b\r\n\r\n")),
        ("origin-form", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".to_string()),
        (
            "absolute-form with another Host",
            "GET http://127.0.0.1/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n".to_string(),
        ),
        (
            "user info in absolute-form",
            "GET http://example.com@127.0.0.1/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n".to_string(),
        ),
    ];
    for scheme in ["https", "ftp", "gopher", "ws", "unix", "file"] {
        heads.push((
            "another scheme",
            format!("GET {scheme}://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
        ));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "HEAD"] {
        heads.push(("another method", format!("{method} http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")));
    }
    for header in steered {
        heads.push((
            "a header that steers",
            format!("CONNECT {inside} HTTP/1.1\r\nHost: {inside}\r\n{header}: http://example.com:443\r\n\r\n"),
        ));
    }
    let named = heads.into_iter().map(|(what, request)| {
        let line = request.lines().next().unwrap_or_default().to_string();
        // Whoever allows this address and port on purpose does not want to hear of these either.
        Case { what: format!("{line} ({what})"), address: inside.parse().ok(), request }
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    #[test]
    fn the_rules_refuse_every_target_of_the_corpus() {
        for case in all() {
            let Some(target) = case.what.strip_prefix("CONNECT ").filter(|target| !target.contains(" (")) else {
                continue;
            };
            let is_refused = Target::from_authority(target).is_err_and(|_| true)
                || Target::from_authority(target).is_ok_and(|target| Rules::default().judge_target(&target).is_err());
            assert!(is_refused, "{target}");
        }
    }

    #[test]
    fn a_literal_case_knows_its_address() {
        assert_eq!(connect("[::ffff:10.0.0.1]:80").address, Some("10.0.0.1:80".parse().unwrap()));
        assert_eq!(connect("127.1:80").address, None);
        assert_eq!(forward("http://[::1]/").address, Some("[::1]:80".parse().unwrap()));
    }
}
