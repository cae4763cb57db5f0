//! The parser of targets: it does not panic, and no other parser reads what it accepts as another host.

use posthouse_egress::{AddressRule, Host, HostRule, Target, rules::Ports};
use url::Url;

/// Parses the bytes as everything that comes from outside or from an operator.
///
/// # Panics
/// Two parsers disagree.
pub fn authority(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    drop((text.parse::<AddressRule>(), text.parse::<HostRule>(), text.parse::<Ports>()));
    let target = Target::from_authority(text);
    if let Ok(with_default) = Target::from_http_authority(text) {
        assert!(target == Ok(with_default.clone()) || with_default.port == 80, "{text:?}");
        same_for_a_browser(text, &with_default);
    }
    let Ok(target) = target else { return };
    assert_eq!(Target::from_authority(&target.to_string()), Ok(target.clone()), "its own text means itself: {text:?}");
    if let Host::Name(name) = &target.host {
        // This one reads octal, hexadecimal and short forms as addresses, as resolvers do.
        assert_eq!(url::Host::parse(name), Ok(url::Host::Domain(name.clone())), "{text:?}");
    }
    same_for_a_browser(text, &target);
}

fn same_for_a_browser(text: &str, target: &Target) {
    let Ok(url) = Url::parse(&format!("http://{text}/")) else { return };
    let Ok(by_url) = Target::from_url(&url) else { return };
    assert_eq!(by_url.to_string(), target.to_string(), "{text:?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_known_to_be_read_differently_holds() {
        for text in [
            "example.com:443",
            "EXAMPLE.com.:443",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
            "127.1:80",
            "0x7f.1:80",
            "a@b:80",
            "xn--bcher-kva.example:443",
            "a:80",
            "a",
            "",
            ":",
            "[",
            "[::1",
            "a:65536",
            "2130706433:80",
            "\u{ff0e}:80",
        ] {
            super::authority(text.as_bytes());
        }
    }
}
