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
        policy.role_of(header.map(str::as_bytes), &names, None).map(|role| role.name().to_string())
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
        assert_eq!(policy.role_of(header, &[], Some("p1")).unwrap().name(), "default");
    }
}

#[test]
fn a_role_adds_to_the_lists_of_all_and_replaces_the_rest() {
    let policy = policy(RULES).unwrap();
    let code = |role: &str, authority: &str| {
        let role = policy.role_named(Some(role), None).unwrap();
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
    assert!(policy.role_named(Some("nobody"), None).is_err());
}

const PROJECTS: &str = r#"
[roles.worker]
tokens_sha256 = ["2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"] # secret
names_projects = true
ports = "443,8443"
sources = ["127.0.0.2"]

[roles.other]
tokens_sha256 = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"] # test

[projects.p1]
allow = ["10.1.0.0/16"]
deny = ["8.8.8.0/24"]
deny_hosts = ["bad.example"]
sources = ["127.0.0.3", "127.0.0.4"]

[projects.p2]
allow_hosts = ["*.example.com"]
ports = "443"
"#;

#[test]
fn a_project_adds_to_its_role_and_the_rule_says_whose_it_is() {
    let policy = policy(PROJECTS).unwrap();
    let judged = |project: Option<&str>, authority: &str| {
        let role = policy.role_of(Some(b"Bearer secret"), &[], project).unwrap();
        let target = Target::from_authority(authority).unwrap();
        match role.judge_target(&target) {
            Ok(_) => role.permission(&target, "10.1.2.3:443".parse().unwrap()),
            Err(denial) => format!("{} {}", denial.code, denial.rule().unwrap_or_default()),
        }
    };
    for (project, target, expected) in [
        (Some("p1"), "10.1.2.3:443", "allow 10.1.0.0/16 of the project"),
        (Some("p1"), "8.8.8.8:443", "denied_rule deny 8.8.8.0/24 of the project"),
        (Some("p1"), "9.9.9.9:443", "denied_rule deny 9.9.9.9/32"),
        (Some("p1"), "bad.example:443", "denied_host deny-host bad.example of the project"),
        (Some("p1"), "good.example:80", "port_not_allowed ports 443,8443 of the role"),
        (Some("p2"), "other.net:443", "denied_host allow-host of the project: not one of them"),
        (Some("p2"), "a.example.com:8443", "port_not_allowed ports 443 of the project"),
        (Some("p2"), "10.1.2.3:443", "private_address built-in 10.0.0.0/8"),
        (Some("p3"), "8.8.8.8:443", "default"),
        (None, "8.8.8.8:443", "default"),
        (None, "10.1.2.3:443", "private_address built-in 10.0.0.0/8"),
    ] {
        assert_eq!(judged(project, target), expected, "{project:?} {target}");
    }
}

#[test]
fn only_a_role_that_may_names_a_project_and_gets_its_sources() {
    let policy = policy(PROJECTS).unwrap();
    assert!(policy.role_of(Some(b"Bearer test"), &[], Some("p1")).is_none());
    assert!(policy.role_of(Some(b"Bearer test"), &[], None).unwrap().sources().is_none());
    let sources = |project| policy.role_of(Some(b"Bearer secret"), &[], project).unwrap().sources().cloned().unwrap();
    assert!(Arc::ptr_eq(&sources(None), &sources(Some("p2"))), "those of the role take turns for all");
    assert!(!Arc::ptr_eq(&sources(None), &sources(Some("p1"))));
    policy.check_sources().unwrap();
    let elsewhere = PROJECTS.replace("127.0.0.4", "192.0.2.1");
    let fault = self::policy(&elsewhere).unwrap().check_sources().unwrap_err().to_string();
    assert!(fault.contains("the source address 192.0.2.1"), "{fault}");
    for (role, project, fault) in [
        (None, Some("p1"), "a project is named by a role that may do so"),
        (Some("other"), Some("p1"), "the role may not name projects"),
        (Some("nobody"), None, "the file of rules has no such role"),
    ] {
        assert_eq!(policy.role_named(role, project).unwrap_err(), fault);
    }
    assert!(policy.role_named(Some("worker"), Some("p1")).is_ok());
}

#[test]
fn names_of_projects_are_short_and_plain() {
    assert!(is_project("01JD8Z6K7Q0000000000000000") && is_project("a-b_C") && is_project(&"a".repeat(64)));
    for name in ["", "a b", "a\n", "ä", "a:b", &"a".repeat(65)] {
        assert!(!is_project(name), "{name:?}");
    }
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
        "[roles.a]\ncertificates = [\"x\"]\nsources = [\"here\"]",
        "[roles.a]\ncertificates = [\"x\"]\n[projects.p1]\ndeny = []",
        "[roles.a]\ncertificates = [\"x\"]\nnames_projects = true\n[projects.p1]\ncertificates = []",
        "[roles.a]\ncertificates = [\"x\"]\nnames_projects = true\n[projects.\"p 1\"]",
        "not toml",
    ] {
        assert!(policy(text).is_err(), "{text}");
    }
    assert!("10.0.0.0/8".parse::<AddressRule>().is_ok());
}
