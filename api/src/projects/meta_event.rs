//! A project's settings for meta events: given as a whole, checked only where they are to be used.

use posthouse_egress::{Code, Host, Rules, Target};
use posthouse_schema::{endpoint::random_secret, project_config::MetaEventConfig, words::MetaEventKind};
use url::Url;

use crate::{body::bounded, error::ApiError};

/// The settings that `given` amounts to, where `old` was set before. An enabled one without a secret keeps the old secret,
/// or gets a new one.
///
/// # Errors
/// 400 naming the key.
pub fn completed(given: MetaEventConfig, old: &MetaEventConfig) -> Result<MetaEventConfig, ApiError> {
    let mut config = MetaEventConfig { pub_sub: None, ..given };
    bounded("config.meta_event.url", &config.url)?;
    bounded("config.meta_event.secret", config.secret.plain()?)?;
    if !matches!(config.kind.as_str(), "" | "http") {
        return Err(ApiError::invalid("config.meta_event.type: http is expected"));
    }
    let known = |name: &String| MetaEventKind::parse(name).is_some();
    if !config.event_type.iter().flatten().all(known) {
        let names: Vec<&str> = MetaEventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        return Err(ApiError::invalid(format!(
            "config.meta_event.event_type: some of {} are expected",
            names.join(", ")
        )));
    }
    if !config.is_enabled {
        return Ok(config);
    }
    check_url("config.meta_event.url", &config.url)?;
    config.kind = "http".into();
    if config.secret.is_empty() {
        config.secret = if old.secret.is_empty() { random_secret().into() } else { old.secret.clone() };
    }
    Ok(config)
}

/// What can be told without resolving the name. Networks that are not public are left to the rules of the sender, which may
/// allow them; this machine and its cloud never hear of their own projects.
pub fn check_url(field: &str, text: &str) -> Result<(), ApiError> {
    let refused = |fault: &str| ApiError::invalid(format!("{field}: {fault}"));
    if text.trim().is_empty() {
        return Err(refused("please provide the endpoint url"));
    }
    let invalid = || refused("endpoint url must include a valid host");
    let url = Url::parse(text).map_err(|_| invalid())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("invalid endpoint scheme"));
    }
    let target = Target::from_url(&url).map_err(|_| invalid())?;
    let is_unspecified = matches!(target.host, Host::Address(address) if address.is_unspecified());
    match Rules::default().judge_target(&target).map_err(|denial| denial.code) {
        Ok(()) | Err(Code::PrivateAddress | Code::PortNotAllowed) => Ok(()),
        Err(Code::Reserved) if !is_unspecified => Ok(()),
        Err(Code::Loopback | Code::DeniedHost) => {
            Err(refused("endpoint url must not point to localhost or loopback addresses"))
        }
        Err(_) => Err(refused("endpoint url must not point to private or reserved IP addresses")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(url: &str) -> MetaEventConfig {
        let event_type = Some(vec!["endpoint.created".into()]);
        MetaEventConfig { is_enabled: true, url: url.into(), event_type, ..MetaEventConfig::default() }
    }

    #[test]
    fn an_enabled_one_gets_a_secret_and_keeps_it() {
        let first = completed(enabled("https://example.com/meta"), &MetaEventConfig::default()).unwrap();
        assert_eq!((first.secret.plain().unwrap().len(), first.kind.as_str()), (25, "http"));
        assert_eq!(completed(enabled("https://example.com/other"), &first).unwrap().secret, first.secret);
        let off = MetaEventConfig { kind: String::new(), ..MetaEventConfig::default() };
        assert_eq!(completed(off.clone(), &first).unwrap(), off, "switched off, everything is forgotten");
        for url in ["http://10.0.0.5:8080/x", "http://192.0.2.2/x", "https://hooks.example.com:6000/x"] {
            assert!(completed(enabled(url), &first).is_ok(), "{url} is the sender's to judge");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let old = MetaEventConfig::default();
        for (url, part) in [
            ("", "please provide the endpoint url"),
            ("nonsense", "valid host"),
            ("ftp://example.com", "scheme"),
            ("https://u:p@example.com", "valid host"),
            ("http://127.0.0.1:9000/x", "loopback"),
            ("http://localhost/x", "loopback"),
            ("http://[::1]/x", "loopback"),
            ("http://2130706433/x", "loopback"),
            ("http://169.254.169.254/latest", "private or reserved"),
            ("http://0.0.0.0/", "must not point to"),
        ] {
            let error = completed(enabled(url), &old).unwrap_err().to_string();
            assert!(error.starts_with("config.meta_event.url: ") && error.contains(part), "{url}: {error}");
        }
        let pigeon = MetaEventConfig { kind: "pigeon".into(), ..enabled("https://example.com") };
        assert!(completed(pigeon, &old).unwrap_err().to_string().starts_with("config.meta_event.type"));
        let unknown = MetaEventConfig { event_type: Some(vec!["endpoint.*".into()]), ..enabled("https://example.com") };
        assert!(completed(unknown, &old).unwrap_err().to_string().starts_with("config.meta_event.event_type"));
    }
}
