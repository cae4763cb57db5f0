//! Every class of address, name, port and spelling, with the decision it gets.

use url::Url;

use super::*;

fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Rules::new(parse(allow), parse(deny), Ports::default())
}

fn decide(rules: &Rules, authority: &str) -> &'static str {
    match Target::from_authority(authority) {
        Ok(target) => rules.judge_target(&target).err().map_or("allow", |denial| denial.code.as_str()),
        Err(BadTarget) => "bad_target",
    }
}

#[test]
fn every_special_range_is_denied_from_its_first_to_its_last_address() {
    for (first, last, code) in [
        ("0.0.0.0", "0.255.255.255", "reserved"),
        ("10.0.0.0", "10.255.255.255", "private_address"),
        ("100.64.0.0", "100.127.255.255", "private_address"),
        ("127.0.0.0", "127.255.255.255", "loopback"),
        ("169.254.0.0", "169.254.255.255", "link_local"),
        ("172.16.0.0", "172.31.255.255", "private_address"),
        ("192.0.0.0", "192.0.0.255", "reserved"),
        ("192.0.2.0", "192.0.2.255", "reserved"),
        ("192.88.99.0", "192.88.99.255", "reserved"),
        ("192.168.0.0", "192.168.255.255", "private_address"),
        ("198.18.0.0", "198.19.255.255", "reserved"),
        ("198.51.100.0", "198.51.100.255", "reserved"),
        ("203.0.113.0", "203.0.113.255", "reserved"),
        ("224.0.0.0", "239.255.255.255", "reserved"),
        ("240.0.0.0", "255.255.255.255", "reserved"),
        ("169.254.169.254", "169.254.169.254", "metadata"),
        ("168.63.129.16", "168.63.129.16", "metadata"),
        ("100.100.100.200", "100.100.100.200", "metadata"),
        ("::", "::", "reserved"),
        ("::1", "::1", "loopback"),
        ("::2", "::fffe:ffff:ffff", "embedded_v4"),
        ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "embedded_v4"),
        ("64:ff9b::", "64:ff9b::ffff:ffff", "embedded_v4"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "embedded_v4"),
        ("100::", "100::ffff:ffff:ffff:ffff", "reserved"),
        ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "embedded_v4"),
        ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "embedded_v4"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ("4000::", "5f00::1", "reserved"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private_address"),
        ("fd00:ec2::254", "fd00:ec2::254", "metadata"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link_local"),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "metadata"),
    ] {
        for address in [first, last] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(judge_builtin(address).map_err(Code::as_str), Err(code), "{address}");
        }
    }
}

#[test]
fn the_neighbours_of_special_ranges_are_public() {
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "168.63.129.17",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2001:ffff::",
        "2003::",
        "2606:4700::1111",
        "3ffe::",
        "3fff:1000::",
    ] {
        assert_eq!(judge_builtin(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn a_denial_wins_over_a_permission_and_a_permission_over_what_is_built_in() {
    let rules = rules(&["127.0.0.1/32:18080", "10.1.0.0/16", "[::1/128]:443"], &["10.1.2.0/24", "8.8.8.8"]);
    for (authority, expected) in [
        ("127.0.0.1:18080", "allow"),
        ("[::ffff:127.0.0.1]:18080", "allow"),
        ("127.0.0.1:18099", "loopback"),
        ("127.0.0.2:18080", "loopback"),
        ("[::1]:443", "allow"),
        ("[::1]:18080", "loopback"),
        ("10.1.3.4:443", "allow"),
        ("10.1.2.4:443", "denied_rule"),
        ("10.1.3.4:25", "port_not_allowed"),
        ("10.2.0.1:443", "private_address"),
        ("8.8.8.8:443", "denied_rule"),
        ("8.8.4.4:443", "allow"),
    ] {
        assert_eq!(decide(&rules, authority), expected, "{authority}");
    }
}

#[test]
fn only_web_ports_and_high_ports_are_open_unless_a_permission_names_one() {
    let rules = rules(&["9.9.9.9/32:25"], &[]);
    for port in [80, 443, 1024, 8443, 65535] {
        assert_eq!(decide(&rules, &format!("1.1.1.1:{port}")), "allow", "{port}");
    }
    for port in [1, 22, 23, 25, 53, 81, 110, 445, 587, 1023] {
        assert_eq!(decide(&rules, &format!("1.1.1.1:{port}")), "port_not_allowed", "{port}");
    }
    assert_eq!(decide(&rules, "9.9.9.9:25"), "allow");
    assert_eq!(
        "80,8000-8999".parse::<Ports>().map(|ports| (ports.contains(8500), ports.contains(443))),
        Ok((true, false))
    );
    for text in ["", "0", "80-", "9-8", "65536", "a"] {
        assert!(text.parse::<Ports>().is_err(), "{text}");
    }
}

#[test]
fn internal_names_are_denied_whatever_their_spelling() {
    for name in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "foo.localhost",
        "localhost.localdomain",
        "ip6-loopback",
        "metadata.google.internal",
        "instance-data",
        "printer.local",
        "metadata",
    ] {
        assert_eq!(decide(&Rules::default(), &format!("{name}:443")), "denied_host", "{name}");
    }
    for name in
        ["example.com", "notlocalhost", "local.example.com", "xn--bcher-kva.example", "a_b.example.com", "example.com."]
    {
        assert_eq!(decide(&Rules::default(), &format!("{name}:443")), "allow", "{name}");
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    for authority in [
        "",
        ":",
        ":80",
        "example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:080a",
        "example.com:+80",
        "example.com:80:80",
        "user@example.com:80",
        "user:pw@127.0.0.1:80",
        "2130706433:80",
        "0x7f000001:80",
        "0x7f.1:80",
        "0177.0.0.1:80",
        "127.1:80",
        "127.0.0.1.:80",
        "1.2.3.4.5:80",
        "127.0.0.01:80",
        "[::1:80",
        "::1:80",
        "[::1%lo]:80",
        "[127.0.0.1]:80",
        "[::1]x:80",
        "exa mple.com:80",
        "example..com:80",
        ".example.com:80",
        "-a.com:80",
        "a/b:80",
        "a\\b:80",
        "a#b:80",
        "a?b:80",
        "a%2eb:80",
        "\u{ff11}27.0.0.1:80",
        "127。0。0。1:80",
        "a\u{0}b:80",
        "a\tb:80",
        "xn--a:80",
        "example.com:8\u{660}",
    ] {
        assert_eq!(decide(&Rules::default(), authority), "bad_target", "{authority:?}");
    }
}

#[test]
fn a_url_is_judged_as_what_its_parser_connects_to() {
    let code = |url: &str| {
        Url::parse(url)
            .map_err(|_| "no_url")
            .and_then(|url| Rules::default().judge_url(&url).map_err(|denial| denial.code.as_str()))
    };
    for (url, expected) in [
        ("http://2130706433/", "loopback"),
        ("http://0x7f.1/", "loopback"),
        ("http://[::ffff:a9fe:a9fe]/", "metadata"),
        ("https://127。0。0。1/", "loopback"),
        ("https://LOCALHOST./", "denied_host"),
        ("https://user@example.com/", "bad_target"),
        ("ftp://example.com/", "bad_target"),
        ("https://example.com:22/", "port_not_allowed"),
        ("http://example.com#@127.0.0.1/", "bad_target"),
    ] {
        assert_eq!(code(url), Err(expected), "{url}");
    }
    assert_eq!(code("https://example.com/a?b=c@d#part"), Ok(()));
}

#[test]
fn one_refused_address_refuses_the_name() {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    let judged =
        |texts: &[&str]| Rules::default().judge_addresses(&addresses(texts)).map_err(|denial| denial.code.as_str());
    assert_eq!(judged(&["1.1.1.1:443", "[2606:4700::1]:443"]), Ok(addresses(&["1.1.1.1:443", "[2606:4700::1]:443"])));
    assert_eq!(judged(&["1.1.1.1:443", "10.0.0.1:443"]), Err("private_address"));
    assert_eq!(
        judged(&["[::ffff:1.1.1.1]:443"]),
        Ok(addresses(&["1.1.1.1:443"])),
        "what is dialled is the canonical form"
    );
    assert_eq!(judged(&[]), Err("dns_failure"));
}

#[test]
fn rules_read_back_as_they_are_written() {
    for text in ["10.0.0.0/8", "127.0.0.1/32:9900", "[::1/128]:443", "fd00::/8", "1.2.3.4/32"] {
        assert_eq!(text.parse::<AddressRule>().unwrap().to_string(), text);
    }
    assert_eq!("::ffff:10.0.0.0/104".parse::<AddressRule>().unwrap().to_string(), "10.0.0.0/8");
    assert_eq!("10.1.2.3/8".parse::<AddressRule>().unwrap().to_string(), "10.0.0.0/8");
    for text in ["", "10.0.0.0/33", "10.0.0.0:0", "10.0.0.0:x", "[::1]443", "host:80", "::1:80:"] {
        assert!(text.parse::<AddressRule>().is_err(), "{text}");
    }
}

#[test]
fn lists_of_hosts_close_what_they_do_not_name_and_open_no_address() {
    let hosts = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let rules = rules(&["10.1.0.0/16"], &[])
        .with_hosts(hosts(&["*.example.com", "crm.internal:8443"]), hosts(&["bad.example.com"]));
    for (authority, expected) in [
        ("hooks.example.com:443", "allow"),
        ("HOOKS.Example.COM.:443", "allow"),
        ("bad.example.com:443", "denied_host"),
        ("example.com:443", "denied_host"),
        ("other.net:443", "denied_host"),
        ("crm.internal:8443", "allow"),
        ("crm.internal:443", "denied_host"),
        ("localhost:443", "denied_host"),
        ("hooks.example.com:25", "port_not_allowed"),
        ("10.1.2.3:443", "allow"),
        ("1.1.1.1:443", "denied_host"),
        ("127.0.0.1:443", "loopback"),
    ] {
        assert_eq!(decide(&rules, authority), expected, "{authority}");
    }
    assert_eq!(rules.judge_address("127.0.0.1:443".parse().unwrap()).unwrap_err().code, Code::Loopback);
}

#[test]
fn a_decision_names_its_rule() {
    let rules =
        rules(&["10.1.0.0/16:8443"], &["8.8.8.0/24"]).with_hosts(Vec::new(), vec!["*.bad.example".parse().unwrap()]);
    let rule = |authority: &str| {
        let target = Target::from_authority(authority).unwrap();
        rules.judge_target(&target).map_err(|denial| denial.rule().unwrap_or_default().to_string())
    };
    for (authority, expected) in [
        ("8.8.8.8:443", "deny 8.8.8.0/24"),
        ("127.0.0.1:443", "built-in 127.0.0.0/8"),
        ("[::ffff:10.2.0.1]:443", "built-in 10.0.0.0/8"),
        ("[4000::1]:443", "built-in: outside 2000::/3"),
        ("[fd00::1]:443", "built-in fc00::/7"),
        ("a.bad.example:443", "deny-host *.bad.example"),
        ("printer.local:443", "built-in local"),
        ("1.1.1.1:22", "ports 80,443,1024-65535"),
    ] {
        assert_eq!(rule(authority), Err(expected.to_string()), "{authority}");
    }
    let permission = |authority: &str| {
        let target = Target::from_authority(authority).unwrap();
        let Host::Address(address) = target.host else { panic!("{authority}") };
        rules.permission(&target, SocketAddr::new(address, target.port))
    };
    assert_eq!(permission("10.1.2.3:8443"), "allow 10.1.0.0/16:8443");
    assert_eq!(permission("1.1.1.1:443"), "default");
}

#[test]
fn without_own_denials_only_what_is_built_in_refuses() {
    let rules = rules(&["10.1.0.0/16"], &["8.8.8.8"])
        .with_hosts(vec!["only.example".parse().unwrap()], vec!["bad.example".parse().unwrap()])
        .without_own_denials();
    for (authority, expected) in [
        ("8.8.8.8:22", "allow"),
        ("bad.example:443", "allow"),
        ("10.1.2.3:443", "allow"),
        ("10.2.2.3:443", "private_address"),
        ("localhost:443", "denied_host"),
        ("169.254.169.254:80", "metadata"),
    ] {
        assert_eq!(decide(&rules, authority), expected, "{authority}");
    }
}
