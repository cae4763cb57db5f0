//! Requests that the API itself makes for a caller: few, bounded, and through egress or directly under the same rules, so
//! that nobody reaches through it what they cannot reach themselves.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use posthouse_egress::{Denial, Rules};
use reqwest::{
    Client, Proxy,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE},
    redirect,
};
use tokio::sync::Semaphore;
use url::Url;

/// Requests under way at once.
const REQUESTS_MAX: usize = 16;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 65_536;
/// Header of a refusal by egress.
const EGRESS_ERROR: &str = "x-egress-error";

/// How requests leave.
#[derive(Debug, Clone)]
pub enum Way {
    /// Through an egress proxy at this URL.
    Egress(Url),
    /// Directly, judged by these rules at connect time.
    Direct(Arc<Rules>),
}

/// Sends requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Client,
    way: Way,
    places: Arc<Semaphore>,
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
    /// The TLS set-up or the proxy's URL is unusable.
    pub fn new(way: Way) -> Result<Self, reqwest::Error> {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .min_tls_version(reqwest::tls::Version::TLS_1_2)
            .pool_max_idle_per_host(0);
        let builder = match &way {
            Way::Egress(url) => builder.proxy(Proxy::all(url.clone())?),
            Way::Direct(rules) => builder.no_proxy().dns_resolver(Arc::new(JudgedResolver(Arc::clone(rules)))),
        };
        Ok(Self { client: builder.build()?, way, places: Arc::new(Semaphore::new(REQUESTS_MAX)) })
    }

    /// Posts a form that asks for JSON, and waits at most `limit` for the whole answer.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn post_form(&self, url: &Url, form: String, limit: Duration) -> Result<Answer, OutboundError> {
        let _place = self.places.try_acquire().map_err(|_| OutboundError::Busy)?;
        // A resolver is never asked about literal addresses, so they are judged here.
        if let Way::Direct(rules) = &self.way {
            rules.judge_url(url).map_err(|denial| OutboundError::Refused(denial.to_string()))?;
        }
        tokio::time::timeout(limit, self.exchange(url, form))
            .await
            .unwrap_or(Err(OutboundError::Failed("it took too long")))
    }

    async fn exchange(&self, url: &Url, form: String) -> Result<Answer, OutboundError> {
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        if let (Way::Egress(_), Some(code)) = (&self.way, response.headers().get(EGRESS_ERROR)) {
            return Err(OutboundError::Refused(code.to_str().unwrap_or("by egress").to_string()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| OutboundError::Failed("it broke off"))? {
            body.extend(chunk.iter().take(ANSWER_BYTES_MAX.saturating_sub(body.len())));
            if body.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Answer { status: response.status().as_u16(), body })
    }
}

fn failure(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(denial)) = error.downcast_ref() {
            return OutboundError::Refused(denial.to_string());
        }
        // The tunnel's own words are all that the client keeps of the proxy's answer.
        if error.to_string().contains("proxy authorization required") {
            return OutboundError::Refused("by egress".into());
        }
        cause = error.source();
    }
    OutboundError::Failed(if error.is_connect() { "no connection could be made" } else { "it was not valid HTTP" })
}
