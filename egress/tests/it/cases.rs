//! Cases from a file, `just egress-cases`: each target with the decision that it has to get, asked of the rules and of a
//! running program. Every address is this machine's in the network namespace that the recipe makes, so whatever is dialled
//! arrives here and is seen.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use posthouse_egress::{Code, Rules, Target};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    binary::Running,
    name_server::{Answer, NameServer},
    world::{connect_to, header, until},
};

/// Names the file. Without it this test has nothing to do: the recipe sets it.
const FILE: &str = "POSTHOUSE_EGRESS_CASES";
const ALLOWED: &str = "127.0.0.1/32:18080";
const PATIENCE: Duration = Duration::from_secs(20);
/// Besides those of the cases: what a URL without a port means.
const WEB_PORTS: [u16; 2] = [80, 443];

/// Listeners on every port that a case names, for every address of both families; what they took, by its destination.
#[derive(Clone, Default)]
struct Canary(Arc<Mutex<Vec<SocketAddr>>>);

impl Canary {
    async fn start(ports: &BTreeSet<u16>) -> Self {
        let canary = Self::default();
        for port in ports {
            let listener = TcpListener::bind(("::", *port)).await.unwrap_or_else(|error| panic!("{port}: {error}"));
            let own = canary.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let reached = stream.local_addr().unwrap();
                    own.0.lock().unwrap().push(SocketAddr::new(reached.ip().to_canonical(), reached.port()));
                    tokio::spawn(answer(stream));
                }
            });
        }
        canary
    }

    fn take(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// What arrived for an answer: a connection that was made may be seen a little after it.
    async fn arrived(&self, outcome: &Outcome) -> Vec<SocketAddr> {
        if outcome.word == "allow" {
            until("what was let through arrives", async || !self.0.lock().unwrap().is_empty()).await;
        }
        self.take()
    }
}

/// For requests in absolute form; a tunnel's client says nothing.
async fn answer(mut stream: TcpStream) {
    let mut bytes = [0; 1_024];
    if stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
        let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncanary").await;
    }
}

/// What became of a request, in the words of the cases.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    word: &'static str,
    said: String,
}

impl Outcome {
    fn of(answer: &str) -> Self {
        let said = answer.lines().next().unwrap_or_default().to_string()
            + &header(answer, "x-egress-error").map(|code| format!(" {code}")).unwrap_or_default();
        let word = match answer.split(' ').nth(1) {
            Some("200") => "allow",
            Some("407") => "deny",
            Some("502" | "503" | "504") => "gateway_error",
            // Closing without an answer is a way to refuse what is no request.
            None => "bad_request",
            Some("400" | "405" | "414" | "431" | "501" | "505") => "bad_request",
            Some(_) => "unknown",
        };
        Self { word, said }
    }
}

async fn exchange(proxy: SocketAddr, request: &[u8]) -> Outcome {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let mut bytes = [0; 4_096];
    let reading = async {
        while !answer.windows(4).any(|part| part == b"\r\n\r\n") {
            match stream.read(&mut bytes).await {
                Ok(read @ 1..) => answer.extend(&bytes[..read]),
                _ => return,
            }
        }
    };
    if timeout(PATIENCE, reading).await.is_err() {
        return Outcome { word: "hang", said: "nothing".into() };
    }
    Outcome::of(&String::from_utf8_lossy(&answer))
}

fn addresses(records: &Value) -> Vec<IpAddr> {
    let of = |name: &str| records[name].as_array().cloned().unwrap_or_default();
    of("A").iter().chain(&of("AAAA")).map(|address| address.as_str().unwrap().parse().unwrap()).collect()
}

fn answer_of(records: &Value, ttl: u32) -> Answer {
    Answer {
        addresses: addresses(records),
        alias: records["CNAME"].as_str().map(String::from),
        ttl,
        rcode: match records["rcode"].as_str() {
            Some("SERVFAIL") => 2,
            Some("NXDOMAIN") => 3,
            Some("REFUSED") => 5,
            _ => 0,
        },
        is_junk: records["junk"].as_bool().unwrap_or(false),
    }
}

/// The records of a case, on top of what the server knows.
fn with_records(server: NameServer, target: &str, records: &Value) -> NameServer {
    let name = target.rsplit_once(':').map_or(target, |(host, _)| host).trim_end_matches('.');
    let ttl = records["ttl"].as_u64().map_or(60, |ttl| u32::try_from(ttl).unwrap());
    let list =
        |key: &str| records[key].as_array().map(|all| all.iter().map(|one| answer_of(one, ttl)).collect::<Vec<_>>());
    let server = match (list("cycle"), list("sequence")) {
        (Some(answers), _) => server.cycling(name, &answers),
        (None, Some(answers)) => server.with(name, &answers),
        (None, None) if records["rotate"].as_bool() == Some(true) => {
            let all = addresses(records);
            let turned = (0..all.len()).map(|by| {
                let addresses = all.iter().cycle().skip(by).take(all.len()).copied().collect();
                Answer { addresses, ..Answer::default() }
            });
            server.cycling(name, &turned.collect::<Vec<_>>())
        }
        (None, None) => server.with(name, &[answer_of(records, ttl)]),
    };
    let extra = records["extra"].as_object().cloned().unwrap_or_default();
    extra.iter().fold(server, |server, (name, records)| with_records(server, name, records))
}

/// What the rules alone say of a URL, as the API asks them; `None` where its name has to be resolved.
fn judged_url(text: &str) -> Option<&'static str> {
    let Ok(url) = url::Url::parse(text) else { return Some("bad_request") };
    match Rules::default().judge_url(&url).map_err(|denial| denial.code) {
        Ok(()) => None,
        Err(Code::BadTarget) => Some("bad_request"),
        Err(_) => Some("deny"),
    }
}

/// What the rules alone say of a literal target; `None` for names.
fn judged_literal(target: &str, rules: &Rules) -> Option<&'static str> {
    let Ok(target) = Target::from_authority(target) else { return Some("bad_request") };
    match rules.judge_target(&target) {
        Err(_) => Some("deny"),
        Ok(()) => matches!(target.host, posthouse_egress::Host::Address(_)).then_some("allow"),
    }
}

struct Case<'a> {
    id: &'a str,
    value: &'a Value,
}

impl Case<'_> {
    fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap_or_default()
    }

    fn needs(&self, what: &str) -> bool {
        self.value["needs"].as_array().is_some_and(|needs| needs.iter().any(|need| need == what))
    }

    fn accepts(&self, word: &str) -> bool {
        let also = self.value["accept"].as_array().is_some_and(|accept| accept.iter().any(|other| other == word));
        word == self.text("expect") || also
    }

    /// The faults of one answer and of what arrived meanwhile.
    fn faults(&self, outcome: &Outcome, reached: &[SocketAddr]) -> Option<String> {
        let meant: Option<SocketAddr> = self.value["dest"].as_str().map(|dest| dest.parse().unwrap());
        let is_where_meant = match outcome.word {
            "allow" => {
                !reached.is_empty() && (meant.is_none() || reached.iter().all(|address| Some(*address) == meant))
            }
            _ => reached.is_empty(),
        };
        let is_right = self.accepts(outcome.word) && is_where_meant;
        (!is_right).then(|| {
            format!(
                "{}: {:?}: {} ({}), reached {reached:?}; expected {}",
                self.id,
                self.text("target"),
                outcome.word,
                outcome.said,
                self.text("expect")
            )
        })
    }
}

/// The programs that cases ask for, by what they need.
struct Proxies {
    usual: Running,
    with_v6: Running,
    with_few_ports: Running,
}

impl Proxies {
    fn start(dns: SocketAddr) -> Self {
        let start = |more: &[&str]| {
            let dns = dns.to_string();
            let flags =
                [&["--allow", ALLOWED, "--dns", &dns, "--dns-timeout", "3s", "--head-timeout", "2s"], more].concat();
            Running::start(&flags)
        };
        Self {
            usual: start(&[]),
            with_v6: start(&["--allow", "[::1/128]:18080"]),
            with_few_ports: start(&["--ports", "80,443,8443"]),
        }
    }

    fn of(&self, case: &Case<'_>) -> SocketAddr {
        let proxy = if case.needs("port-policy") {
            &self.with_few_ports
        } else if case.needs("allow6") {
            &self.with_v6
        } else {
            &self.usual
        };
        proxy.address
    }
}

fn rules_of(case: &Case<'_>) -> Rules {
    let mut allow = vec![ALLOWED.parse().unwrap()];
    allow.extend(case.needs("allow6").then(|| "[::1/128]:18080".parse().unwrap()));
    let ports = if case.needs("port-policy") { "80,443,8443" } else { "80,443,1024-65535" };
    Rules::new(allow, Vec::new(), ports.parse().unwrap())
}

#[tokio::test]
async fn cases_get_the_decision_that_they_expect() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases: Vec<Case<'_>> = cases.iter().map(|value| Case { id: value["id"].as_str().unwrap(), value }).collect();
    let port = |case: &Case<'_>| {
        case.text("target").rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok())
    };
    let ports: BTreeSet<u16> = cases.iter().filter_map(port).filter(|port| *port > 0).chain(WEB_PORTS).collect();
    let canary = Canary::start(&ports).await;
    let server = cases.iter().filter(|case| !case.value["dns"].is_null());
    let server = server
        .fold(NameServer::default(), |server, case| with_records(server, case.text("target"), &case.value["dns"]));
    // What URLs name is outside.
    let server = server.with("example.com", &[Answer::addresses(&["93.184.216.34"], 60)]);
    let server = server.with("xn--bcher-kva.example", &[Answer::addresses(&["93.184.216.34"], 60)]);
    let proxies = Proxies::start(server.start().await);
    let (mut faults, mut counts) = (Vec::new(), HashMap::<&str, usize>::new());
    for case in &cases {
        *counts.entry(case.text("group")).or_default() += 1;
        let repeats = case.value["repeat"].as_u64().unwrap_or(1);
        for _ in 0..repeats {
            let outcome = run(case, proxies.of(case)).await;
            faults.extend(case.faults(&outcome, &canary.arrived(&outcome).await));
        }
        let by_rules = (case.text("via") != "url" && case.text("request").is_empty())
            .then(|| judged_literal(case.text("target"), &rules_of(case)))
            .flatten();
        faults.extend(
            by_rules.filter(|word| !case.accepts(word)).map(|word| format!("{}: the rules alone: {word}", case.id)),
        );
    }
    // One more that is let through: whatever came late has come before it.
    let last = exchange(proxies.usual.address, connect_to("93.184.216.34:443").as_bytes()).await;
    let late = canary.arrived(&last).await;
    faults.extend((late.len() != 1).then(|| format!("after the last case: {late:?}")));
    let asked: usize = counts.values().sum();
    assert!(faults.is_empty(), "{} of {asked} cases:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(asked, cases.len());
    assert!(asked > 0, "the file holds no case");
    eprintln!("{asked} cases: {counts:?}");
}

async fn run(case: &Case<'_>, proxy: SocketAddr) -> Outcome {
    let target = case.text("target");
    if case.text("via") != "url" {
        let request = match case.text("request") {
            "" => connect_to(target),
            request => request.to_string(),
        };
        return exchange(proxy, request.as_bytes()).await;
    }
    if let Some(word) = judged_url(target) {
        return Outcome { word, said: "the rules".into() };
    }
    // As a worker sends it.
    let url = url::Url::parse(target).unwrap();
    let authority = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
    exchange(proxy, connect_to(&authority).as_bytes()).await
}
