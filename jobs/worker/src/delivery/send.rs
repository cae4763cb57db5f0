//! One HTTP request, and what came of it. Requests leave through egress, or directly under the same rules; redirects are
//! not followed, and no more of an answer is read than is kept.

use std::{sync::Arc, time::Duration};

use posthouse_schema::json::Headers;
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Response, redirect};
use url::Url;

use super::{
    clients::Clients,
    direct::{JudgedResolver, judge_literal},
    request::DeliveryRequest,
};

/// Bytes of an answer that are kept; the rest is not read.
pub const RESPONSE_BYTES_MAX: usize = 51_200;
/// Header of a refusal by egress; egress strips it from the answers of endpoints.
const EGRESS_ERROR: &str = "x-egress-error";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Through egress there is one host, which carries every delivery.
const POOL_IDLE_PER_HOST: usize = 512;
/// Below egress' own head timeout, so that a request is not written into a connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(8);

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: Headers,
    /// The first bytes of the body.
    pub body: Vec<u8>,
    /// Who answered; `None` through a proxy.
    pub address: Option<String>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The endpoint answered, whatever it said.
    Answered(Answer),
    /// The endpoint did not answer, or not in full.
    Failed {
        /// For machines; a closed set of words.
        class: &'static str,
        /// For people; without addresses that a tenant must not learn.
        message: String,
    },
    /// The rules refuse the destination, now and later.
    Refused {
        /// The code of `docs/egress.md`.
        code: String,
    },
    /// Our own proxy is away or full: not the endpoint's fault, and no attempt.
    EgressUnavailable(String),
}

/// How requests leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// Through an egress proxy at this URL.
    Egress(Url),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<posthouse_egress::Rules>),
}

/// Sends requests over pooled connections. One for a process: making it costs milliseconds.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
    /// For endpoints that ask for a certificate.
    clients: Clients,
    way: Way,
    authorities: Arc<[Certificate]>,
}

impl Sender {
    /// A sender for this way out, which trusts the system's authorities and those of `authorities`, certificates in PEM.
    /// Needs rustls' default provider to be installed.
    ///
    /// # Errors
    /// The TLS set-up, a certificate or the proxy's URL is unusable.
    pub fn new(way: Way, authorities: &[u8]) -> Result<Self, reqwest::Error> {
        let authorities: Arc<[Certificate]> = Certificate::from_pem_bundle(authorities)?.into();
        let client = client(&way, &authorities)?.build()?;
        Ok(Self { client, clients: Clients::default(), way, authorities })
    }

    /// The client that proves itself as the request wants to.
    fn client_of(&self, request: &DeliveryRequest) -> Result<Client, reqwest::Error> {
        let Some(identity) = &request.identity else { return Ok(self.client.clone()) };
        self.clients.of(identity, || client(&self.way, &self.authorities)?.identity(identity.read()?).build())
    }

    /// Sends the request once. Never takes longer than its timeout.
    pub async fn send(&self, request: &DeliveryRequest) -> Sent {
        // A resolver is never asked about literal addresses, so they are judged here.
        if let Way::Direct(rules) = &self.way
            && let Err(code) = judge_literal(rules, &request.url)
        {
            return Sent::Refused { code };
        }
        let client = match self.client_of(request) {
            Ok(client) => client,
            Err(error) => {
                let reason = causes(&error).pop().unwrap_or_default();
                return Sent::Failed {
                    class: "tls",
                    message: format!("the client certificate cannot be used: {reason}"),
                };
            }
        };
        let exchange = async {
            let sent = client
                .post(request.url.clone())
                .headers(request.headers.clone())
                .body(request.body.clone())
                .send()
                .await;
            match sent {
                Ok(response) => self.read(response).await,
                Err(error) => self.failure(&error, &request.url),
            }
        };
        tokio::time::timeout(request.timeout, exchange).await.unwrap_or_else(|_| Sent::Failed {
            class: "timeout",
            message: format!("no complete answer within {} s", request.timeout.as_secs_f32()),
        })
    }

    async fn read(&self, mut response: Response) -> Sent {
        let status = response.status().as_u16();
        if let (Way::Egress(_), Some(code)) = (&self.way, response.headers().get(EGRESS_ERROR)) {
            return refusal(status, code.to_str().unwrap_or("unknown"));
        }
        let address = match &self.way {
            Way::Egress(_) => None,
            Way::Direct(_) => response.remote_addr().map(|address| address.ip().to_string()),
        };
        let headers = received(response.headers());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = RESPONSE_BYTES_MAX.saturating_sub(body.len());
                    body.extend(chunk.iter().take(room));
                    if body.len() >= RESPONSE_BYTES_MAX {
                        break; // Dropping the response closes the connection: the rest is never read.
                    }
                }
                Ok(None) => break,
                Err(_) => return Sent::Failed { class: "response", message: format!("the answer {status} broke off") },
            }
        }
        Sent::Answered(Answer { status, headers, body, address })
    }

    fn failure(&self, error: &reqwest::Error, url: &Url) -> Sent {
        let causes = causes(error);
        let has = |text: &str| causes.iter().any(|cause| cause.contains(text));
        if let Some(code) = super::direct::refused_code(error) {
            return Sent::Refused { code };
        }
        if matches!(self.way, Way::Egress(_)) && error.is_connect() {
            // The tunnel's own words are all that the client keeps of the proxy's answer.
            if has("proxy authorization required") {
                return Sent::Refused { code: "refused_by_policy".into() };
            }
            if has("unsuccessful") {
                return Sent::Failed { class: "connect", message: "egress could not connect to the endpoint".into() };
            }
            if url.scheme() == "http" || !is_tls(&causes) {
                return Sent::EgressUnavailable(causes.last().cloned().unwrap_or_default());
            }
        }
        let (class, message) = match () {
            () if error.is_timeout() => ("timeout", "the connection took too long"),
            () if is_tls(&causes) => ("tls", "the TLS handshake failed"),
            () if has("dns error") || has("failed to lookup") => ("dns", "the host name could not be resolved"),
            () if error.is_connect() => ("connect", "the connection could not be made"),
            () if has("connection closed") || has("reset") => {
                ("closed", "the endpoint closed the connection without an answer")
            }
            () => ("protocol", "the answer was not valid HTTP"),
        };
        let detail = if class == "tls" {
            causes.last().map(|cause| format!(": {cause}")).unwrap_or_default()
        } else {
            String::new()
        };
        Sent::Failed { class, message: format!("{message}{detail}") }
    }
}

/// What all clients have in common.
fn client(way: &Way, authorities: &[Certificate]) -> Result<ClientBuilder, reqwest::Error> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .http1_title_case_headers()
        .min_tls_version(reqwest::tls::Version::TLS_1_2)
        .tls_certs_merge(authorities.iter().cloned())
        .tcp_nodelay(true);
    Ok(match way {
        Way::Egress(url) => builder.proxy(Proxy::all(url.clone())?),
        Way::Direct(rules) => builder.no_proxy().dns_resolver(Arc::new(JudgedResolver::new(Arc::clone(rules)))),
    })
}

/// Egress answers policy with 407, and its own limits with 429 and 503; anything else is the endpoint's failure.
fn refusal(status: u16, code: &str) -> Sent {
    match (status, code) {
        (407 | 400, _) => Sent::Refused { code: code.to_string() },
        (429 | 503, _) => Sent::EgressUnavailable(code.to_string()),
        (_, "dns_failure") => Sent::Failed { class: "dns", message: "the host name could not be resolved".into() },
        (504, _) => Sent::Failed { class: "timeout", message: "the connection took too long".into() },
        _ => Sent::Failed { class: "connect", message: "the connection could not be made".into() },
    }
}

fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

fn is_tls(causes: &[String]) -> bool {
    // What a receiver says after the handshake, as that a certificate is missing, comes as an alert.
    let words = ["certificate", "tls", "handshake", "fatal alert", "corrupt message"];
    causes.iter().map(|cause| cause.to_ascii_lowercase()).any(|cause| words.iter().any(|word| cause.contains(word)))
}

fn received(headers: &reqwest::header::HeaderMap) -> Headers {
    let mut received = Headers::default();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).replace('\0', "\u{fffd}");
        received.0.entry(name.as_str().to_string()).or_default().push(value);
    }
    received
}
