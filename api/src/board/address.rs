//! Where the board and the dashboard are for a browser that reads one of them: at the addresses of the settings, or else at
//! the same host, each at its own port.

use std::net::SocketAddr;

use salvo::prelude::*;
use url::{Host, Url};

use crate::app::ApiSettings;

/// The host to which a request was sent, with its port.
pub fn host(req: &Request) -> Option<String> {
    req.header::<String>("host")
}

/// The board's address, without a slash at its end, for who reads the dashboard at this host; `None`: it is not reached from
/// there.
pub fn board(host: Option<&str>, settings: &ApiSettings) -> Option<String> {
    match &settings.board_url {
        Some(url) => Some(url.as_str().trim_end_matches('/').to_string()),
        None => beside(host?, settings.board_listen?),
    }
}

/// The dashboard's address in the same way, for who reads the board at this host.
pub fn dashboard(host: Option<&str>, settings: &ApiSettings) -> Option<String> {
    match &settings.public_url {
        Some(url) => Some(url.trim_end_matches('/').to_string()),
        None => beside(host?, settings.listen?),
    }
}

/// What listens there, at this host. What listens at the machine itself is found from there alone.
fn beside(host: &str, listen: SocketAddr) -> Option<String> {
    let mut url = Url::parse(&format!("http://{host}/")).ok()?;
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    url.set_port(Some(listen.port())).ok()?;
    (is_local || !listen.ip().is_loopback()).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_is_beside_the_dashboard_where_it_can_be_reached() {
        let (loopback, open): (SocketAddr, SocketAddr) =
            ("127.0.0.1:5010".parse().unwrap(), "0.0.0.0:5010".parse().unwrap());
        for (host, listen, expected) in [
            ("127.0.0.1:5005", loopback, Some("http://127.0.0.1:5010")),
            ("localhost:5005", loopback, Some("http://localhost:5010")),
            ("[::1]:5005", open, Some("http://[::1]:5010")),
            ("hooks.example.com", loopback, None),
            ("hooks.example.com", open, Some("http://hooks.example.com:5010")),
            ("me:secret@hooks.example.com/x?y", open, Some("http://hooks.example.com:5010")),
            ("a b", open, None),
        ] {
            assert_eq!(beside(host, listen).as_deref(), expected, "{host} {listen}");
        }
    }

    #[test]
    fn settings_say_where_each_is() {
        let settings = ApiSettings {
            public_url: Some("https://hooks.example.com".into()),
            board_url: Some("https://jobs.example.com/".parse().unwrap()),
            ..ApiSettings::default()
        };
        for host in [None, Some("other.example:5005")] {
            assert_eq!(dashboard(host, &settings).as_deref(), Some("https://hooks.example.com"));
            assert_eq!(board(host, &settings).as_deref(), Some("https://jobs.example.com"));
        }
        let derived = ApiSettings {
            listen: Some("0.0.0.0:5005".parse().unwrap()),
            board_listen: Some("0.0.0.0:5010".parse().unwrap()),
            ..ApiSettings::default()
        };
        assert_eq!(dashboard(Some("own.example:5010"), &derived).as_deref(), Some("http://own.example:5005"));
        assert_eq!(board(Some("own.example:5005"), &derived).as_deref(), Some("http://own.example:5010"));
        assert_eq!((dashboard(None, &derived), board(None, &derived)), (None, None));
    }
}
