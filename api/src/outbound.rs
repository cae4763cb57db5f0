//! Requests that the API itself makes for a caller: few, bounded, and through egress or directly under the same rules, so
//! that nobody reaches through it what they cannot reach themselves.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use posthouse_egress::{
    Denial, Rules,
    client::{ClientError, ClientSettings, ExitError, Exits, OnceError},
};
use posthouse_schema::ids::ProjectId;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE},
    redirect,
};
use salvo::hyper::Request;
use tokio::sync::Semaphore;
use url::Url;

/// Requests under way at once.
const REQUESTS_MAX: usize = 16;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 65_536;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const BROKEN: &str = "it broke off";
const NO_CONNECTION: &str = "no connection could be made";
const NOT_HTTP: &str = "it was not valid HTTP";

/// How requests leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// Through egress proxies.
    Egress(Box<ClientSettings>),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<Rules>),
}

/// Sends requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    route: Route,
    places: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
enum Route {
    Egress(Exits),
    Direct(Client, Arc<Rules>),
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] reqwest::Error),
    /// The proxies cannot be used as they are set.
    #[error(transparent)]
    Egress(#[from] ClientError),
    /// There is no proxy.
    #[error("there is no egress proxy to send through")]
    NoEgress,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer; for people, without addresses.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The rules refuse the destination.
    #[error("refused: {0}")]
    Refused(String),
    /// Too many are under way.
    #[error("too many of these requests are under way, try again")]
    Busy,
    /// No connection, or it broke off.
    #[error("no answer: {0}")]
    Failed(&'static str),
}

/// A refusal on its way through the HTTP client's errors.
#[derive(Debug, thiserror::Error)]
#[error("refused: {0}")]
struct Refused(Denial);

/// Resolves names, and answers only with addresses that the rules allow.
struct JudgedResolver(Arc<Rules>);

impl Resolve for JudgedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let judged = rules.judge_resolved(&found).map_err(Refused)?;
            Ok(Box::new(judged.into_iter()) as Addrs)
        })
    }
}

impl Outbound {
    /// Requests by this way. Needs rustls' default provider to be installed.
    ///
    /// # Errors
    /// The TLS set-up, or a proxy's URL or file, is unusable.
    pub fn new(way: Way) -> Result<Self, SetupError> {
        let route = match way {
            Way::Egress(settings) => Route::Egress(Exits::new(&settings)?.ok_or(SetupError::NoEgress)?),
            Way::Direct(rules) => {
                let builder = Client::builder()
                    .redirect(redirect::Policy::none())
                    .min_tls_version(reqwest::tls::Version::TLS_1_2)
                    .pool_max_idle_per_host(0)
                    .no_proxy()
                    .dns_resolver(Arc::new(JudgedResolver(Arc::clone(&rules))));
                Route::Direct(builder.build()?, rules)
            }
        };
        Ok(Self { route, places: Arc::new(Semaphore::new(REQUESTS_MAX)) })
    }

    /// Posts a form that asks for JSON, for this project, and waits at most `limit` for the whole answer.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn post_form(
        &self,
        project: ProjectId,
        url: &Url,
        form: String,
        limit: Duration,
    ) -> Result<Answer, OutboundError> {
        let _place = self.places.try_acquire().map_err(|_| OutboundError::Busy)?;
        let exchange = async {
            match &self.route {
                Route::Egress(exits) => through(exits, project, url, form).await,
                Route::Direct(client, rules) => {
                    // A resolver is never asked about literal addresses, so they are judged here.
                    rules.judge_url(url).map_err(|denial| OutboundError::Refused(denial.to_string()))?;
                    directly(client, url, form).await
                }
            }
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or(Err(OutboundError::Failed("it took too long")))
    }
}

async fn directly(client: &Client, url: &Url, form: String) -> Result<Answer, OutboundError> {
    let request = client.post(url.clone()).header(CONTENT_TYPE, FORM).header(ACCEPT, JSON).body(form);
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| OutboundError::Failed(BROKEN))? {
        if !take(&mut body, &chunk) {
            break;
        }
    }
    Ok(Answer { status: response.status().as_u16(), body })
}

async fn through(exits: &Exits, project: ProjectId, url: &Url, form: String) -> Result<Answer, OutboundError> {
    let request = Request::post("/").header(CONTENT_TYPE, FORM).header(ACCEPT, JSON).body(Full::new(Bytes::from(form)));
    let request = request.map_err(|_| OutboundError::Failed(NOT_HTTP))?;
    let response = exits.send_once(url, request, project).await.map_err(OutboundError::from)?;
    let (status, mut incoming, mut body) = (response.status().as_u16(), response.into_body(), Vec::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| OutboundError::Failed(BROKEN))?;
        if frame.data_ref().is_some_and(|chunk| !take(&mut body, chunk)) {
            break;
        }
    }
    Ok(Answer { status, body })
}

/// Adds as much of the chunk as is kept; whether there is room for more.
fn take(body: &mut Vec<u8>, chunk: &[u8]) -> bool {
    body.extend(chunk.iter().take(ANSWER_BYTES_MAX.saturating_sub(body.len())));
    body.len() < ANSWER_BYTES_MAX
}

impl From<OnceError> for OutboundError {
    fn from(error: OnceError) -> Self {
        match error {
            OnceError::Exit(error) if error.is_proxys_own() => Self::Failed("egress is not available"),
            OnceError::Exit(ExitError::Answered { status: 400 | 407, code }) => {
                Self::Refused(code.unwrap_or_else(|| "by egress".into()))
            }
            OnceError::Exit(_) | OnceError::Tls(_) | OnceError::Setup(_) => Self::Failed(NO_CONNECTION),
            OnceError::Url => Self::Refused("the URL cannot be requested".into()),
            OnceError::Http(_) => Self::Failed(NOT_HTTP),
        }
    }
}

fn failure(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(denial)) = error.downcast_ref() {
            return OutboundError::Refused(denial.to_string());
        }
        cause = error.source();
    }
    OutboundError::Failed(if error.is_connect() { NO_CONNECTION } else { NOT_HTTP })
}
