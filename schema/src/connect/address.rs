//! What a database URL says about TLS, apart from the rest: the client library knows only some of libpq's words for it.

use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;

/// A database's address with what it says about TLS.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) ssl: Ssl,
}

/// libpq's `ssl…` keywords.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ssl {
    pub(super) mode: SslMode,
    pub(super) root_cert: Option<RootCert>,
    /// Files of our certificate and its key.
    pub(super) identity: Option<(String, String)>,
}

/// What libpq's modes of these names mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Who may have issued the server's certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RootCert {
    /// The authorities that the system trusts.
    System,
    /// Those in this file.
    File(String),
}

impl Address {
    /// Errors are sentences without credentials.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let (rest, keywords) = if is_url { split_url(url) } else { split_list(url)? };
        let mut config = Config::from_str(&rest).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("the database URL is not valid: {cause}"),
            None => "the database URL is not valid".into(),
        })?;
        if config.get_hosts().is_empty() {
            // A certificate is checked against the host's name; an address alone is its own.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        Ok(Self { config, ssl: Ssl::of(&keywords)? })
    }
}

impl Ssl {
    fn of(keywords: &[(String, String)]) -> Result<Self, String> {
        let find = |name: &str| {
            keywords.iter().rev().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
        };
        let root_cert = find("sslrootcert").map(|value| match value {
            "system" => RootCert::System,
            file => RootCert::File(file.into()),
        });
        let mode = match find("sslmode") {
            None if root_cert == Some(RootCert::System) => SslMode::VerifyFull,
            None => SslMode::default(),
            Some("disable") => SslMode::Disable,
            Some("allow") => SslMode::Allow,
            Some("prefer") => SslMode::Prefer,
            Some("require") => SslMode::Require,
            Some("verify-ca") => SslMode::VerifyCa,
            Some("verify-full") => SslMode::VerifyFull,
            Some(_) => {
                return Err("sslmode is not one of disable, allow, prefer, require, verify-ca and verify-full".into());
            }
        };
        if root_cert == Some(RootCert::System) && mode != SslMode::VerifyFull {
            return Err("sslrootcert=system goes with sslmode=verify-full only: anybody can have a certificate".into());
        }
        if root_cert.is_none() && matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull) {
            return Err("sslmode=verify-ca and verify-full need sslrootcert: a file with the certificates of \
                authorities, or `system`"
                .into());
        }
        let identity = match (find("sslcert"), find("sslkey")) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            _ => return Err("sslcert and sslkey go together".into()),
        };
        Ok(Self { mode, root_cert, identity })
    }
}

/// Whether the keyword is ours to read.
fn is_ssl(key: &str) -> bool {
    matches!(key, "sslmode" | "sslrootcert" | "sslcert" | "sslkey")
}

/// The URL without these keywords, and they.
fn split_url(url: &str) -> (String, Vec<(String, String)>) {
    // As the client library reads it: a login may hold a question mark.
    let login = url.find('@').unwrap_or(0);
    let query = url.get(login..).and_then(|rest| rest.find('?')).map(|at| login + at);
    let Some((base, query)) = query.and_then(|at| Some((url.get(..at)?, url.get(at + 1..)?))) else {
        return (url.into(), Vec::new());
    };
    let (mut kept, mut found) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is_ssl(key) {
            found.push((key.into(), percent_decode_str(value).decode_utf8_lossy().into_owned()));
        } else if !pair.is_empty() {
            kept.push(pair);
        }
    }
    let rest = if kept.is_empty() { base.into() } else { format!("{base}?{}", kept.join("&")) };
    (rest, found)
}

/// The same for a list of `keyword=value`, in which values may be quoted.
fn split_list(list: &str) -> Result<(String, Vec<(String, String)>), String> {
    let unclear = || "the database is named neither by a postgres:// URL nor by a list of keyword=value".to_owned();
    let (mut kept, mut found) = (String::new(), Vec::new());
    let mut rest = list.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(unclear)?;
        let after = after.trim_start();
        let (value, length) = value(after).ok_or_else(unclear)?;
        let key = key.trim();
        if is_ssl(key) {
            found.push((key.into(), value));
        } else {
            kept.push_str(&format!("{key}='{}' ", value.replace('\\', "\\\\").replace('\'', "\\'")));
        }
        rest = after.get(length..).unwrap_or_default().trim_start();
    }
    Ok((kept, found))
}

/// The value that the text begins with, and the bytes that it takes there.
fn value(text: &str) -> Option<(String, usize)> {
    let is_quoted = text.starts_with('\'');
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, letter) in text.char_indices().skip(usize::from(is_quoted)) {
        match letter {
            _ if is_escaped => {
                value.push(letter);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '\'' if is_quoted => return Some((value, at + 1)),
            _ if !is_quoted && letter.is_whitespace() => return Some((value, at)),
            _ => value.push(letter),
        }
    }
    (!is_quoted && !is_escaped).then_some((value, text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_postgres::config::Host;

    use super::*;

    fn ssl(url: &str) -> Result<Ssl, String> {
        Address::parse(url).map(|address| address.ssl)
    }

    #[test]
    fn what_is_said_about_tls_is_read_and_the_rest_is_left() {
        let url = "postgres://me:a%40b@one:5432,two:5433/orders?sslmode=verify-full&application_name=x\
            &sslrootcert=%2Fetc%2Fca%20file.pem&sslcert=/c.pem&sslkey=/k.pem&target_session_attrs=read-write";
        let Address { config, ssl } = Address::parse(url).unwrap();
        assert_eq!(ssl.mode, SslMode::VerifyFull);
        assert_eq!(ssl.root_cert, Some(RootCert::File("/etc/ca file.pem".into())));
        assert_eq!(ssl.identity, Some(("/c.pem".into(), "/k.pem".into())));
        assert_eq!(config.get_hosts(), [Host::Tcp("one".into()), Host::Tcp("two".into())]);
        assert_eq!((config.get_password(), config.get_dbname()), (Some(&b"a@b"[..]), Some("orders")));
        assert_eq!(config.get_application_name(), Some("x"));
    }

    #[test]
    fn a_list_of_keywords_says_the_same() {
        let list =
            r"host=one password = 'it\'s a \\ secret' sslmode='verify-ca' sslrootcert=/ca\ file.pem dbname=orders";
        let Address { config, ssl } = Address::parse(list).unwrap();
        assert_eq!(config.get_password(), Some(&br"it's a \ secret"[..]));
        assert_eq!((config.get_dbname(), config.get_hosts().len()), (Some("orders"), 1));
        assert_eq!((ssl.mode, ssl.root_cert), (SslMode::VerifyCa, Some(RootCert::File("/ca file.pem".into()))));
        for unclear in ["orders", "host='one", r"host=one\", "localhost:5432/orders"] {
            assert!(ssl_error(unclear).contains("keyword=value"), "{unclear}");
        }
    }

    fn ssl_error(url: &str) -> String {
        ssl(url).unwrap_err()
    }

    #[test]
    fn modes_have_libpqs_names_and_needs() {
        let mode = |query: &str| ssl(&format!("postgres://h/d{query}")).map(|ssl| ssl.mode);
        assert_eq!(mode(""), Ok(SslMode::Prefer));
        assert_eq!(mode("?sslmode="), Ok(SslMode::Prefer));
        assert_eq!(mode("?sslmode=disable"), Ok(SslMode::Disable));
        assert_eq!(mode("?sslmode=allow"), Ok(SslMode::Allow));
        assert_eq!(mode("?sslmode=require"), Ok(SslMode::Require));
        assert_eq!(mode("?sslrootcert=system"), Ok(SslMode::VerifyFull));
        assert_eq!(mode("?sslmode=require&sslmode=verify-ca&sslrootcert=x"), Ok(SslMode::VerifyCa));
        for (query, part) in [
            ("?sslmode=on", "is not one of"),
            ("?sslmode=verify-full", "need sslrootcert"),
            ("?sslmode=verify-ca", "need sslrootcert"),
            ("?sslmode=require&sslrootcert=system", "verify-full only"),
            ("?sslcert=x", "go together"),
            ("?sslmode=disable&sslkey=x", "go together"),
            ("?sslcrl=x", "unknown"),
        ] {
            assert!(mode(query).unwrap_err().contains(part), "{query}: {:?}", mode(query));
        }
    }

    #[test]
    fn an_address_without_a_name_is_checked_by_itself() {
        let Address { config, .. } = Address::parse("hostaddr=10.0.0.7 sslmode=require").unwrap();
        assert_eq!(config.get_hosts(), [Host::Tcp("10.0.0.7".into())]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "\\PC{0,40}", query in "\\PC{0,40}") {
            let _list = Address::parse(&text);
            let _url = Address::parse(&format!("postgres://{text}?{query}"));
        }

        #[test]
        fn what_is_not_about_tls_reaches_the_client_library(password in "[ -~]{1,20}", name in "[a-z ']{1,10}") {
            let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
            let list = format!(
                "sslmode=require password='{}' host=h sslrootcert='x' dbname='{}'", quoted(&password), quoted(&name)
            );
            let Address { config, ssl } = Address::parse(&list).unwrap();
            prop_assert_eq!(config.get_password(), Some(password.as_bytes()));
            prop_assert_eq!(config.get_dbname(), Some(name.as_str()));
            prop_assert_eq!(ssl.mode, SslMode::Require);
        }
    }
}
