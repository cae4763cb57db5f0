//! One HTTP request, and what came of it. Requests leave through egress, or directly under the same rules; no more of an
//! answer is read than is kept. An answer that leads elsewhere is followed where the endpoint allows it, each step under the
//! same rules and all within the request's timeout.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use posthouse_egress::client::{ClientError, ClientSettings, Exits, PROJECT};
use posthouse_schema::{
    ids::ProjectId,
    json::{Headers, Redirect},
};
use posthouse_service::metrics::Metrics;
use posthouse_service::traces;
use url::Url;

use super::{
    clients::{ClientIdentity, Clients},
    connector::{
        Connector, Route, egress,
        tls::{TlsError, Trust},
    },
    course::{Course, Watch},
    failure::{astray, failed, failure},
    redirect::{self, Redirects},
    request::{DeliveryRequest, TRACE_PARENT},
    userinfo::{basic, credentials},
};

/// Bytes of an answer that are kept; the rest is not read.
pub const RESPONSE_BYTES_MAX: usize = 51_200;
/// Connections that wait for their next request, for each host.
const POOL_IDLE_PER_HOST: usize = 512;
/// Below egress' own head timeout, so that a request is not written into a connection that is just being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(8);

/// Pooled connections.
pub(super) type Client = legacy::Client<Connector, Full<Bytes>>;

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: Headers,
    /// The first bytes of the body.
    pub body: Vec<u8>,
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
    /// Through egress proxies.
    Egress(Box<ClientSettings>),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<posthouse_egress::Rules>),
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxies cannot be used as they are set.
    #[error(transparent)]
    Egress(#[from] ClientError),
    /// There is no proxy.
    #[error("there is no egress proxy to send through")]
    NoEgress,
}

/// Sends requests over pooled connections. One for a process: making it costs milliseconds.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
    /// For endpoints that ask for a certificate, and for projects that proxies are told.
    clients: Clients,
    /// For requests in the clear, one for each proxy: so it is known whose answer is one.
    forwarders: Arc<[Client]>,
    route: Route,
    trust: Trust,
}

/// One step of a request.
struct Step<'r> {
    url: &'r Url,
    headers: &'r HeaderMap,
    body: &'r Bytes,
    identity: Option<&'r ClientIdentity>,
    project: ProjectId,
}

/// Where a request was led.
struct Led {
    url: Url,
    headers: HeaderMap,
    /// Whether it has left the origin of its credentials.
    is_elsewhere: bool,
}

impl Sender {
    /// A sender for this way out, which trusts the system's authorities and those of `authorities`, certificates in PEM.
    ///
    /// # Errors
    /// The TLS set-up, a certificate or the proxy's URL is unusable.
    pub fn new(way: Way, authorities: &[u8]) -> Result<Self, SenderError> {
        let trust = Trust::new(authorities)?;
        let route = match way {
            Way::Egress(settings) => Route::Egress(Exits::new(&settings)?.ok_or(SenderError::NoEgress)?),
            Way::Direct(rules) => Route::Direct(rules),
        };
        let settings = trust.settings(None).map_err(TlsError::Setup)?;
        let to = |route: Route| client(Connector::new(route, Arc::clone(&settings)));
        let forwarders = match &route {
            Route::Egress(exits) => exits.all().iter().map(|exit| to(Route::Forwarder(Arc::clone(exit)))).collect(),
            _ => Arc::default(),
        };
        Ok(Self { client: to(route.clone()), clients: Clients::default(), forwarders, route, trust })
    }

    /// Registers what is counted of each proxy.
    pub fn register(&self, metrics: &Metrics) {
        if let Route::Egress(exits) = &self.route {
            exits.register(metrics);
        }
    }

    /// The client that proves itself as the request wants to, and leaves as its project's do.
    fn client_of(&self, step: &Step<'_>) -> Result<Client, rustls::Error> {
        let project = match &self.route {
            Route::Egress(exits) => exits.project(step.project),
            _ => None,
        };
        if step.identity.is_none() && project.is_none() {
            return Ok(self.client.clone());
        }
        let told = project.is_some().then_some(step.project);
        let make = || {
            let identity = step.identity.map(ClientIdentity::read).transpose()?;
            let connector = Connector::new(self.route.clone(), self.trust.settings(identity)?);
            Ok(client(connector.for_project(project.map(|(_, value)| value))))
        };
        self.clients.of(step.identity, told, make)
    }

    /// Sends the request once, and says what came of it alone.
    pub async fn send(&self, request: &DeliveryRequest) -> Sent {
        self.exchange(request).await.0
    }

    /// Sends the request once. Never takes longer than its timeout.
    pub async fn exchange(&self, request: &DeliveryRequest) -> (Sent, Course) {
        let mut watch = Watch::default();
        let sent = tokio::time::timeout(request.timeout, self.follow(request, &mut watch)).await;
        let sent = sent.unwrap_or_else(|_| Sent::Failed {
            class: "timeout",
            message: format!("no complete answer within {} s", request.timeout.as_secs_f32()),
        });
        (sent, watch.end())
    }

    /// Sends the request, and where its answer leads.
    async fn follow(&self, request: &DeliveryRequest, watch: &mut Watch) -> Sent {
        let mut led: Option<Led> = None;
        loop {
            let step = match &led {
                None => Step::first(request),
                Some(led) => Step {
                    url: &led.url,
                    headers: &led.headers,
                    body: &request.body,
                    identity: request.identity.as_ref().filter(|_| !led.is_elsewhere),
                    project: request.project,
                },
            };
            let response = match self.ask(&step, watch).await {
                Ok(response) => response,
                Err(sent) if led.is_none() => return sent,
                Err(sent) => return astray(sent),
            };
            let Redirects::Followed { confined } = &request.redirects else { return read(response).await };
            let status = response.status().as_u16();
            let url = match redirect::next((status, response.headers()), (&request.url, step.url), watch.redirects()) {
                Ok(None) => return read(response).await,
                Ok(Some(url)) => url,
                Err(error) => {
                    watch.status = Some(status);
                    return Sent::Failed { class: "redirect", message: error.to_string() };
                }
            };
            watch.led(Redirect { status, url: url.to_string() });
            led = Some(step.led(url, led.as_ref(), confined));
        }
    }

    async fn ask(&self, step: &Step<'_>, watch: &mut Watch) -> Result<Response<Incoming>, Sent> {
        // The connector judges what names resolve to; literal addresses, denied names and ports are judged here.
        if let Route::Direct(rules) = &self.route {
            rules.judge_url(step.url).map_err(|denial| Sent::Refused { code: denial.code.to_string() })?;
        }
        if let (Route::Egress(exits), "http") = (&self.route, step.url.scheme()) {
            return self.forward(exits, step, watch).await;
        }
        let client = self.client_of(step).map_err(|error| Sent::Failed {
            class: "tls",
            message: format!("the client certificate cannot be used: {error}"),
        })?;
        let mut request = step.request()?;
        let (notes, began) = watch.begin(&mut request);
        if traces::is_on()
            && let Some(span) = step.headers.get(TRACE_PARENT)
        {
            notes.name_span(span);
        }
        let response = notes.scope(client.request(request)).await.map_err(|error| failure(&error))?;
        watch.answered(began, None);
        Ok(response)
    }

    /// Asks the first proxy that carries the request out. One that is away or full has not: the next one is asked.
    async fn forward(&self, exits: &Exits, step: &Step<'_>, watch: &mut Watch) -> Result<Response<Incoming>, Sent> {
        let mut last = Sent::EgressUnavailable("there is none".into());
        for at in exits.in_turn() {
            let (Some(exit), Some(client)) = (exits.all().get(at), self.forwarders.get(at)) else { continue };
            let mut request = step.request()?;
            let headers = request.headers_mut();
            headers.extend(exit.authorization().map(|value| (PROXY_AUTHORIZATION, value.clone())));
            // Only we say for whom we ask, whatever an event's headers are.
            headers.remove(PROJECT);
            headers.extend(exits.project(step.project));
            let (notes, began) = watch.begin(&mut request);
            let answered = notes.scope(client.request(request)).await.map_err(|error| failure(&error));
            let answered = answered.and_then(|response| match egress::refusal(response.status(), response.headers()) {
                Some(refusal) => Err(refusal.into()),
                None => Ok(response),
            });
            match answered {
                Err(own @ Sent::EgressUnavailable(_)) => last = own,
                Err(sent) => return Err(sent),
                Ok(mut response) => {
                    watch.answered(began, Some(egress::facts(response.headers()).unwrap_or_default()));
                    egress::strip(response.headers_mut());
                    return Ok(response);
                }
            }
        }
        Err(last)
    }
}

impl<'r> Step<'r> {
    fn first(request: &'r DeliveryRequest) -> Self {
        Self {
            url: &request.url,
            headers: &request.headers,
            body: &request.body,
            identity: request.identity.as_ref(),
            project: request.project,
        }
    }

    /// The next step: the same request, without credentials once it has left their origin.
    fn led(&self, url: Url, before: Option<&Led>, confined: &[hyper::header::HeaderName]) -> Led {
        let mut headers = self.headers.clone();
        let is_elsewhere = before.is_some_and(|led| led.is_elsewhere) || self.url.origin() != url.origin();
        if is_elsewhere {
            redirect::without_credentials(&mut headers, confined);
        }
        Led { url, headers, is_elsewhere }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, Sent> {
        self.build().ok_or_else(|| failed("protocol", "the URL cannot be requested"))
    }

    fn build(&self) -> Option<Request<Full<Bytes>>> {
        let userinfo = credentials(self.url);
        let uri: Uri = match &userinfo {
            None => self.url.as_str().parse().ok()?,
            Some(_) => {
                let mut url = self.url.clone();
                url.set_username("").ok()?;
                url.set_password(None).ok()?;
                url.as_str().parse().ok()?
            }
        };
        let mut request = Request::post(uri).body(Full::new(self.body.clone())).ok()?;
        let headers = request.headers_mut();
        headers.clone_from(self.headers);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some((user, password)) = userinfo {
            let value = basic(&user, &password);
            headers.entry(AUTHORIZATION).or_insert(HeaderValue::try_from(value).ok()?);
        }
        Some(request)
    }
}

/// What all clients have in common.
fn client(connector: Connector) -> Client {
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .http1_title_case_headers(true)
        .build(connector)
}

async fn read(response: Response<Incoming>) -> Sent {
    let status = response.status().as_u16();
    let headers = received(response.headers());
    let (mut incoming, mut body) = (response.into_body(), Vec::new());
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else { return failed("response", &format!("the answer {status} broke off")) };
        let Ok(chunk) = frame.into_data() else { continue };
        body.extend(chunk.iter().take(RESPONSE_BYTES_MAX.saturating_sub(body.len())));
        if body.len() >= RESPONSE_BYTES_MAX {
            break; // Dropping the rest closes the connection: it is never read.
        }
    }
    Sent::Answered(Answer { status, headers, body })
}

fn received(headers: &HeaderMap) -> Headers {
    let mut received = Headers::default();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).replace('\0', "\u{fffd}");
        received.0.entry(name.as_str().to_string()).or_default().push(value);
    }
    received
}
