//! A name server of the tests' own, over UDP: names with answers that follow one another, chains, errors and nonsense. It is
//! written from RFC 1035 and shares no code with the resolver that is tested.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a name is answered with.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub addresses: Vec<IpAddr>,
    /// The name goes on as this one.
    pub alias: Option<String>,
    pub ttl: u32,
    /// 0 is well, 2 a failure, 3 no such name, 5 refused.
    pub rcode: u8,
    /// No DNS message at all.
    pub is_junk: bool,
}

impl Answer {
    pub fn addresses(texts: &[&str], ttl: u32) -> Self {
        Self { addresses: texts.iter().map(|text| text.parse().unwrap()).collect(), ttl, ..Self::default() }
    }

    pub fn alias(name: &str) -> Self {
        Self { alias: Some(name.into()), ..Self::default() }
    }
}

/// Answers of one name, and how they follow one another.
#[derive(Debug, Clone)]
struct Entry {
    answers: Vec<Answer>,
    is_cycle: bool,
    asked: HashMap<u16, usize>,
}

impl Entry {
    /// Each type of record goes through the answers by itself, because both are asked for at once.
    fn next(&mut self, record: u16) -> Answer {
        let asked = self.asked.entry(record).or_insert(0);
        let at = if self.is_cycle { *asked % self.answers.len() } else { (*asked).min(self.answers.len() - 1) };
        *asked += 1;
        self.answers[at].clone()
    }
}

#[derive(Clone, Default)]
pub struct NameServer {
    names: Arc<Mutex<HashMap<String, Entry>>>,
}

impl NameServer {
    /// The name is answered so, one after the other; the last one stays.
    pub fn with(self, name: &str, answers: &[Answer]) -> Self {
        self.insert(name, answers, false)
    }

    /// The same, from the start again after the last one.
    pub fn cycling(self, name: &str, answers: &[Answer]) -> Self {
        self.insert(name, answers, true)
    }

    fn insert(self, name: &str, answers: &[Answer], is_cycle: bool) -> Self {
        let entry = Entry { answers: answers.to_vec(), is_cycle, asked: HashMap::new() };
        self.names.lock().unwrap().insert(name.to_ascii_lowercase(), entry);
        self
    }

    /// How often the name's IPv4 addresses were asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.names.lock().unwrap().get(name).and_then(|entry| entry.asked.get(&A).copied()).unwrap_or(0)
    }

    /// Answers for ever; the address to ask.
    pub async fn start(&self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let own = self.clone();
        tokio::spawn(async move {
            let mut bytes = [0; 2_048];
            while let Ok((length, client)) = socket.recv_from(&mut bytes).await {
                let answer = own.answer(&bytes[..length]);
                let _sent = socket.send_to(&answer, client).await;
            }
        });
        address
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        let (name, end) = read_name(question, 12);
        let record = u16::from_be_bytes([question[end], question[end + 1]]);
        let (mut rcode, mut count, mut records) = (0, 0_u16, Vec::new());
        let (mut owner, mut hops) = (name.to_ascii_lowercase(), 0);
        let mut names = self.names.lock().unwrap();
        loop {
            let Some(entry) = names.get_mut(&owner) else {
                rcode = if hops == 0 { 3 } else { 0 };
                break;
            };
            let answer = entry.next(record);
            if answer.is_junk {
                return b"this is not a DNS message".to_vec();
            }
            rcode = rcode.max(answer.rcode);
            // The question's own name stands at a known place, in the client's own spelling.
            let spelled = if hops == 0 { vec![0xc0, 12] } else { encoded(&owner) };
            for address in &answer.addresses {
                let data = match (address, record) {
                    (IpAddr::V4(v4), A) => v4.octets().to_vec(),
                    (IpAddr::V6(v6), AAAA) => v6.octets().to_vec(),
                    _ => continue,
                };
                records.extend(written(&spelled, record, answer.ttl, &data));
                count += 1;
            }
            let Some(next) = answer.alias.filter(|_| hops < 8) else { break };
            records.extend(written(&spelled, CNAME, answer.ttl, &encoded(&next)));
            count += 1;
            (owner, hops) = (next, hops + 1);
        }
        let mut message = question[..2].to_vec();
        message.extend([0x81, 0x80 | rcode, 0, 1]);
        message.extend(count.to_be_bytes());
        message.extend([0, 0, 0, 0]);
        message.extend(&question[12..end + 4]);
        message.extend(records);
        message
    }
}

fn read_name(message: &[u8], mut at: usize) -> (String, usize) {
    let mut labels = Vec::new();
    while message[at] > 0 {
        let length = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..=at + length]).into_owned());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let label = |label: &str| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat();
    labels.flat_map(label).chain([0]).collect()
}

fn written(owner: &[u8], record: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(record.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}
