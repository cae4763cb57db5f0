//! Which role a client has, and what a file of rules makes of the flags.

use super::*;
use crate::rules::{AddressRule, Code};

const RULES: &str = r#"
deny = ["8.8.8.0/24"]
deny_hosts = ["*.bad.example"]

[roles.worker]
tokens_sha256 = ["2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"] # secret
certificates = ["Worker.example"]
allow = ["10.1.0.0/16:8443"]

[roles.reports]
tokens_sha256 = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"] # test
allow_hosts = ["*.example.com"]
ports = "443"
report_only = true
"#;

fn policy(text: &str) -> Result<Policy, PolicyError> {
    file::read(&Base { deny: vec!["9.9.9.9".parse().unwrap()], ..Base::default() }, text)
}

fn basic(user: &str, token: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{token}")))
}

#[test]
fn a_client_has_the_role_that_it_proves() {
    let policy = policy(RULES).unwrap();
    let role = |header: Option<&str>, names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        policy.role_of(header.map(str::as_bytes), &names).map(|role| role.name().to_string())
    };
    let worker = Some("worker".to_string());
    assert_eq!(role(Some(&basic("worker", "secret")), &[]), worker);
    assert_eq!(role(Some("Bearer secret"), &[]), worker);
    assert_eq!(role(Some("bearer test"), &[]), Some("reports".to_string()));
    assert_eq!(role(None, &["other", "worker.example"]), worker);
    for wrong in [
        basic("worker", "test"),
        basic("reports", "secret"),
        "Bearer".into(),
        "Digest secret".into(),
        "Basic !".into(),
        String::new(),
    ] {
        assert_eq!(role(Some(&wrong), &["worker.example"]), None, "{wrong:?}");
    }
    assert_eq!(role(None, &[]), None);
    assert_eq!(role(None, &["worker.example.evil"]), None);
}

#[test]
fn without_roles_every_client_shares_the_rules() {
    let policy = policy("deny = [\"8.8.8.8\"]").unwrap();
    for header in [None, Some(&b"Basic eDp5"[..])] {
        assert_eq!(policy.role_of(header, &[]).unwrap().name(), "default");
    }
}

#[test]
fn a_role_adds_to_the_lists_of_all_and_replaces_the_rest() {
    let policy = policy(RULES).unwrap();
    let code = |role: &str, authority: &str| {
        let role = policy.role_named(Some(role)).unwrap();
        let judged = role.judge_target(&Target::from_authority(authority).unwrap());
        judged.map(|reported| reported.map(|denial| denial.code)).map_err(|denial| denial.code)
    };
    assert_eq!(code("worker", "10.1.2.3:8443"), Ok(None));
    assert_eq!(code("worker", "8.8.8.8:443"), Err(Code::DeniedRule), "of the file");
    assert_eq!(code("worker", "9.9.9.9:443"), Err(Code::DeniedRule), "of the flags");
    assert_eq!(code("worker", "a.bad.example:443"), Err(Code::DeniedHost));
    assert_eq!(code("worker", "other.net:8080"), Ok(None));
    assert_eq!(code("reports", "a.example.com:443"), Ok(None));
    assert_eq!(code("reports", "other.net:443"), Ok(Some(Code::DeniedHost)), "only told of");
    assert_eq!(code("reports", "a.example.com:8080"), Ok(Some(Code::PortNotAllowed)));
    assert_eq!(code("reports", "8.8.8.8:443"), Ok(Some(Code::DeniedRule)));
    assert_eq!(code("reports", "10.1.2.3:8443"), Err(Code::PrivateAddress), "what is built in is enforced");
    assert_eq!(code("reports", "localhost:443"), Err(Code::DeniedHost));
    assert!(policy.role_named(Some("nobody")).is_none());
}

#[test]
fn a_file_with_a_mistake_is_refused() {
    for text in [
        "alow = []",
        "allow = [\"10.0.0.0/33\"]",
        "allow_hosts = [\"10.0.0.1\"]",
        "ports = \"0\"",
        "[roles.a]\nallow = []",
        "[roles.a]\ntokens_sha256 = [\"secret\"]",
        "[roles.\"a:b\"]\ncertificates = [\"x\"]",
        "[roles.a]\ncertificates = [\"x\"]\nunknown = 1",
        "not toml",
    ] {
        assert!(policy(text).is_err(), "{text}");
    }
    assert!("10.0.0.0/8".parse::<AddressRule>().is_ok());
}
