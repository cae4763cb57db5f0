//! The program itself: its flags, what it says for `check` and `audit`, and SIGHUP.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
};

use crate::{
    name_server::{Answer, NameServer},
    world::{Origin, connect_to, header, reaches, read_all, until},
};

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_posthouse-egress"))
}

/// The program, killed at the end of a test.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    /// Where it answers `/readyz` and `/metrics`.
    pub probes: SocketAddr,
}

impl Running {
    /// Starts it with these flags, on a port of the system's choice.
    pub fn start(flags: &[&str]) -> Self {
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--probe-listen", "127.0.0.1:0"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let started = lines.by_ref().map(Result::unwrap).find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_ne!(line["level"], "ERROR", "{line}");
            let is_started = line["message"] == "The proxy takes connections.";
            let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
            is_started.then(|| (address("listen"), address("probe_listen")))
        });
        // What it goes on to say must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let (address, probes) = started.expect("it says where it listens");
        Self { child, address, probes }
    }

    pub async fn exchange(&self, request: &str) -> String {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn check_names_the_rule_and_the_reason() {
    let server = NameServer::default()
        .with("hooks.example.com", &[Answer::addresses(&["93.184.216.34"], 60)])
        .with("inside.example.com", &[Answer::addresses(&["10.0.0.7"], 60)])
        .start()
        .await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(
        &rules,
        "deny = [\"8.8.8.8\"]\n[roles.strict]\ncertificates = [\"x\"]\nallow_hosts = [\"*.example.com\"]\n",
    )
    .unwrap();
    let check = async |flags: &str| {
        let mut command = command();
        command
            .args(["check", "--dns", &server.to_string(), "--rules-file", rules.to_str().unwrap()])
            .args(flags.split(' '));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), said(&output))
    };
    for (flags, code, expected) in [
        (
            "https://hooks.example.com/a",
            0,
            "allowed: https://hooks.example.com/a would be reached at 93.184.216.34 (rule: default)\n",
        ),
        (
            "https://inside.example.com/",
            1,
            "refused: private_address (the destination is a private address; rule: built-in 10.0.0.0/8)\n",
        ),
        (
            "https://8.8.8.8/",
            1,
            "refused: denied_rule (a rule of the configuration denies the destination; rule: deny 8.8.8.8/32)\n",
        ),
        (
            "http://127.0.0.1:9900/ --allow 127.0.0.1/32:9900",
            0,
            "allowed: http://127.0.0.1:9900/ would be reached at 127.0.0.1 (rule: allow 127.0.0.1/32:9900)\n",
        ),
        (
            "https://hooks.example.com/ --role strict",
            0,
            "allowed: https://hooks.example.com/ would be reached at 93.184.216.34 (rule: allow-host *.example.com of the role)\n",
        ),
        (
            "https://other.net/ --role strict",
            1,
            "refused: denied_host (the host name is one of an internal network, or not one that may be reached; rule: allow-host of the role: not one of them)\n",
        ),
        (
            "https://8.8.8.8/ --report-only",
            0,
            "allowed: https://8.8.8.8/ would be reached at 8.8.8.8 (rule: default); told of, because the rules only report: denied_rule (a rule of the configuration denies the destination; rule: deny 8.8.8.8/32)\n",
        ),
        ("https://nowhere.example.com/", 1, "refused: dns_failure (the host name could not be resolved)\n"),
        ("https://hooks.example.com/ --role nobody", 1, "error: the file of rules has no such role\n"),
        ("https://hooks.example.com/ --role strict --project p1", 1, "error: the role may not name projects\n"),
    ] {
        assert_eq!(check(flags).await, (Some(code), expected.to_string()), "{flags}");
    }
}

/// Files of variables and Compose write so what is not set.
#[test]
fn a_variable_that_is_empty_is_not_set() {
    let mut command = command();
    for name in ["DENY", "ALLOW_HOST", "DNS", "DNS_TIMEOUT", "RULES_FILE", "PORTS", "REPORT_ONLY"] {
        command.env(format!("POSTHOUSE_EGRESS_{name}"), "");
    }
    command.env("POSTHOUSE_CONFIG", "").env("POSTHOUSE_EGRESS_ALLOW", "127.0.0.1/32:9900");
    let output = command.args(["check", "http://127.0.0.1:9900/"]).output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), String::from_utf8_lossy(&output.stderr));
    assert!(
        said(&output).starts_with("allowed: http://127.0.0.1:9900/ would be reached at 127.0.0.1"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn the_program_reads_its_rules_again_on_sighup_and_passes_its_own_audit() {
    let origin = Origin::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "").unwrap();
    let proxy = Running::start(&["--rules-file", rules.to_str().unwrap(), "--max-tunnels-per-destination", "5"]);
    let url = format!("http://{}", proxy.address);
    let output = tokio::task::spawn_blocking(move || command().args(["audit", "--proxy", &url]).output().unwrap());
    let output = output.await.unwrap();
    assert!(output.status.success() && said(&output).ends_with(": 0 let through\n"), "{}", said(&output));
    let target = origin.address.to_string();
    let refused = proxy.exchange(&connect_to(&target)).await;
    assert_eq!(header(&refused, "x-egress-error").as_deref(), Some("loopback"));
    std::fs::write(&rules, format!("allow = [\"127.0.0.1/32:{}\"]\n", origin.address.port())).unwrap();
    let pid = rustix::process::Pid::from_raw(proxy.child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    until("the rules are open", async || reaches(proxy.address, &target).await).await;
}

#[test]
fn settings_that_cannot_be_met_stop_the_start() {
    for (flags, fault) in [
        (&["--bind-source", "192.0.2.1"][..], "the source address 192.0.2.1 cannot be used"),
        (&["--rules-file", "/nonexistent/rules.toml"], "the file of rules cannot be read"),
        (&["--tls-cert", "/nonexistent/a.pem", "--tls-key", "/nonexistent/a.key"], "cannot be used"),
        (&["--dns", "example.com"], "is not an address such as"),
        (&["--upstream-proxy", "https://proxy"], "a proxy is written"),
        (&["--client-ca", "/nonexistent/a.pem"], "--tls-cert"),
    ] {
        let output =
            command().args(["--listen", "127.0.0.1:0", "--probe-listen", "127.0.0.1:0"]).args(flags).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(fault), "{flags:?}: {text}");
    }
}
