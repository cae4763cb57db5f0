//! What is checked is what is connected to, whatever the text: no other parser reads an accepted target as another host.

use proptest::{prelude::*, sample::select};
use url::Url;

use super::*;

/// What C's `inet_aton` takes for an address, and with it most resolvers: one to four numbers in any base.
fn inet_aton(text: &str) -> Option<std::net::Ipv4Addr> {
    let number = |part: &str| match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
        Some("") => Some(0),
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None => part.parse().ok(),
    };
    let numbers = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, front) = numbers.split_last()?;
    let front_is_small = front.iter().all(|number| *number < 256);
    let room = u32::MAX.checked_shr(u32::try_from(front.len()).ok()? * 8)?;
    if front.len() > 3 || !front_is_small || *last > room {
        return None;
    }
    let high = front.iter().zip([24, 16, 8]).map(|(number, shift)| number << shift).sum::<u32>();
    Some((high | last).into())
}

/// Pieces of which attacks on parsers are made, and text between them.
fn authority() -> impl Strategy<Value = String> {
    const PIECES: [&str; 58] = [
        "127.0.0.1",
        "127.1",
        "0x7f",
        "0177",
        "2130706433",
        "169.254.169.254",
        "10.0.0.1",
        "0",
        "00",
        "1",
        "255",
        "256",
        ".",
        "..",
        ":",
        "::",
        "[",
        "]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "::ffff:a9fe:a9fe",
        "64:ff9b::",
        "fe80::1",
        "%",
        "%25",
        "%lo",
        "%2e",
        "%00",
        "@",
        "user",
        "/",
        "//",
        "\\",
        "?",
        "#",
        ";",
        ",",
        " ",
        "\t",
        "\0",
        "。",
        "．",
        "①",
        "ａ",
        "\u{ad}",
        "\u{200d}",
        "ß",
        "xn--",
        "xn--a",
        "localhost",
        "local",
        "example.com",
        "a",
        "-",
        "_",
        ":80",
        ":443",
        ":65536",
    ];
    let piece = prop_oneof![
        6 => select(&PIECES[..]).prop_map(String::from),
        1 => "[a-z0-9.:-]{1,6}",
        1 => "\\PC{1,3}",
    ];
    let end = prop_oneof![4 => Just(":443".to_string()), 1 => Just(String::new()), 1 => "[:0-9+ ]{0,6}"];
    (proptest::collection::vec(piece, 1..6), end).prop_map(|(pieces, end)| pieces.concat() + &end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for text in [text.as_str(), &String::from_utf8_lossy(&bytes)] {
            drop((Target::from_authority(text), Target::from_http_authority(text)));
            drop((text.parse::<AddressRule>(), text.parse::<HostRule>(), text.parse::<Ports>()));
        }
    }

    #[test]
    fn no_parser_reads_an_accepted_target_as_another_host(authority in authority()) {
        let Ok(target) = Target::from_authority(&authority) else { return Ok(()) };
        prop_assert_eq!(&Target::from_authority(&target.to_string()).unwrap(), &target, "its own text means itself");
        let written = authority.rsplit_once(':').unwrap().0;
        match &target.host {
            Host::Address(address) => {
                let literal = written.trim_start_matches('[').trim_end_matches(']');
                prop_assert_eq!(literal.parse::<IpAddr>().unwrap().to_canonical(), *address);
                if let IpAddr::V4(v4) = address && !written.starts_with('[') {
                    prop_assert_eq!(inet_aton(written), Some(*v4), "{} to a resolver", written);
                }
            }
            Host::Name(name) => {
                prop_assert_eq!(inet_aton(name), None, "{} is an address to a resolver", name);
                prop_assert_eq!(url::Host::parse(name).unwrap(), url::Host::Domain(name.clone()), "{} to a browser", name);
                prop_assert_eq!(written.trim_end_matches('.').to_ascii_lowercase(), name.clone());
            }
        }
        let url = Url::parse(&format!("http://{authority}/")).map(|url| Target::from_url(&url));
        if let Ok(Ok(by_url)) = url {
            let host_of_url = match by_url.host {
                Host::Name(name) => Host::Name(name.trim_end_matches('.').to_string()),
                address @ Host::Address(_) => address,
            };
            prop_assert_eq!((host_of_url, by_url.port), (target.host, target.port));
        }
    }

    #[test]
    fn what_a_resolver_takes_for_an_address_is_that_address_or_refused(
        parts in proptest::collection::vec((0_u32..=300, 0_usize..4), 1..5), dot in any::<bool>()
    ) {
        let part = |(number, form): &(u32, usize)| match form {
            0 => number.to_string(),
            1 => format!("0x{number:x}"),
            2 => format!("0{number:o}"),
            _ => format!("00{number}"),
        };
        let text = parts.iter().map(part).collect::<Vec<_>>().join(".") + if dot { "." } else { "" };
        match Target::from_authority(&format!("{text}:80")) {
            Ok(Target { host: Host::Address(IpAddr::V4(address)), .. }) => prop_assert_eq!(inet_aton(&text), Some(address)),
            Ok(target) => prop_assert!(false, "{} is taken for {}", text, target),
            Err(BadTarget) => {}
        }
    }

    #[test]
    fn a_literal_is_judged_as_the_address_that_the_system_would_dial(bits in any::<u128>(), is_v4 in any::<bool>(), port in 1..=u16::MAX) {
        let ip = if is_v4 { IpAddr::from(u32::try_from(bits >> 96).unwrap().to_be_bytes()) } else { IpAddr::from(bits.to_be_bytes()) };
        let address = SocketAddr::new(ip, port);
        let target = Target::from_authority(&address.to_string()).unwrap();
        prop_assert_eq!(target.host, Host::Address(ip.to_canonical()));
        prop_assert_eq!(target.port, port);
    }

    #[test]
    fn an_ipv4_address_is_judged_alike_in_every_form_that_reaches_it(bits in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from(bits);
        let judged = |ip: IpAddr| Rules::default().judge_address(SocketAddr::new(ip, 443)).map_err(|denial| denial.code);
        prop_assert_eq!(judged(v4.to_ipv6_mapped().into()), judged(v4.into()));
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        for embedding in [[0, 0, 0, 0, 0, 0, high, low], [0x64, 0xff9b, 0, 0, 0, 0, high, low], [0x2002, high, low, 0, 0, 0, 0, 1]] {
            prop_assert!(judged(std::net::Ipv6Addr::from(embedding).into()).is_err());
        }
    }
}
