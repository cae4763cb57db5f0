//! A client of the API with one key. It follows no redirects: a key is for the server that was named. Reading waits and
//! tries again where the API asks for it; nothing else is repeated.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, StatusCode, header::HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

/// Longest wait for a whole answer. Lists and searches end after 5 s by themselves.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Stands for the project in paths, where the key decides which one it is.
const OWN_PROJECT: &str = "own";
const PER_PAGE_MAX: usize = 1_000;
/// How often a reading call is made in all, and how long it waits in between at most.
const TRIES: u32 = 3;
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Keys and values of a query.
pub type Query = Vec<(&'static str, String)>;

/// A caller of the API.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
    project: Option<String>,
}

/// What a call that succeeded was answered.
#[derive(Debug)]
pub struct Answer {
    /// The envelope's `data`.
    pub data: Value,
    headers: HeaderMap,
}

impl Answer {
    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer came.
    #[error("the API at {url} cannot be reached")]
    Unreachable {
        /// Where it should be.
        url: Url,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// The API says no. Its message names the field and the reason.
    #[error("the API refused ({status}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// In the API's words.
        message: String,
        /// When to come back, as the API asks.
        retry_after: Option<Duration>,
    },
    /// Something answered that is not the API.
    #[error("{url} answers {status}, and not as the API does: is it the API's URL?")]
    NotTheApi {
        /// Where the API should be.
        url: Url,
        /// HTTP status.
        status: u16,
    },
}

impl CallError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::NotTheApi { status, .. } => {
                matches!(*status, 429 | 500 | 502 | 503 | 504)
            }
        }
    }

    /// Whether there is no such thing.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// A text of an answer, or nothing.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Client {
    /// A client for the API at `base`.
    ///
    /// # Errors
    /// No HTTP client can be built.
    pub fn new(base: Url, project: Option<String>, key: SecretString) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, base, key, project })
    }

    /// Makes sure that the key opens the project that was named: the API goes by the key, whatever the path says.
    ///
    /// # Errors
    /// It is of another project, or the API refuses.
    pub async fn check_project(&self) -> anyhow::Result<()> {
        let Some(named) = &self.project else { return Ok(()) };
        let project = self.get(&[], Query::new()).await?;
        let own = text(&project, "/uid");
        anyhow::ensure!(own == named, "the key is of the project {own}, and not of {named}");
        Ok(())
    }

    /// Reads something of the project.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get(&self, path: &[&str], query: Query) -> Result<Value, CallError> {
        self.read(self.project_url(path, query)).await
    }

    /// Reads something of no project.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get_above(&self, path: &[&str], query: Query) -> Result<Value, CallError> {
        self.read(below(&self.base, &["api", "v1"], path, query)).await
    }

    /// Reads or changes something of the whole instance, which only its administrators can.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn ask_ui(&self, method: Method, path: &[&str]) -> Result<Value, CallError> {
        let url = below(&self.base, &["ui"], path, Query::new());
        if method == Method::GET {
            return self.read(url).await;
        }
        Ok(self.send(method, url, None).await?.data)
    }

    /// Changes something of the project. An answer that did not come does not mean that nothing was done.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: Query,
        body: Option<String>,
    ) -> Result<Answer, CallError> {
        self.send(method, self.project_url(path, query), body).await
    }

    /// The first `limit` rows of a list, and the cursor of the next one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list(
        &self,
        path: &[&str],
        query: &Query,
        limit: usize,
        after: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), CallError> {
        let (mut rows, mut cursor) = (Vec::new(), after.map(str::to_string));
        loop {
            let wanted = limit.saturating_sub(rows.len()).min(PER_PAGE_MAX);
            let (page, next) = self.page(path, query, wanted, cursor.as_deref()).await?;
            rows.extend(page);
            if next.is_none() || rows.len() >= limit {
                return Ok((rows, next));
            }
            cursor = next;
        }
    }

    /// One page of a list, and the cursor of the next one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn page(
        &self,
        path: &[&str],
        query: &Query,
        per_page: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), CallError> {
        let mut query = query.clone();
        query.push(("perPage", per_page.to_string()));
        query.extend(cursor.map(|cursor| ("next_page_cursor", cursor.to_string())));
        let mut data = self.get(path, query).await?;
        let next = data.pointer("/pagination/has_next_page").and_then(Value::as_bool).unwrap_or(false);
        let next = next.then(|| text(&data, "/pagination/next_page_cursor").to_string());
        let Some(Value::Array(rows)) = data.get_mut("content").map(Value::take) else { return Ok((Vec::new(), None)) };
        Ok((rows, next.filter(|cursor| !cursor.is_empty())))
    }

    fn project_url(&self, path: &[&str], query: Query) -> Url {
        below(&self.base, &["api", "v1", "projects", self.project.as_deref().unwrap_or(OWN_PROJECT)], path, query)
    }

    async fn read(&self, url: Url) -> Result<Value, CallError> {
        for _ in 1..TRIES {
            match self.send(Method::GET, url.clone(), None).await {
                Err(CallError::Refused { status: 429 | 503, retry_after: Some(wait), .. }) => {
                    sleep(wait.min(PAUSE_MAX)).await;
                }
                outcome => return outcome.map(|answer| answer.data),
            }
        }
        Ok(self.send(Method::GET, url, None).await?.data)
    }

    async fn send(&self, method: Method, url: Url, body: Option<String>) -> Result<Answer, CallError> {
        let unreachable =
            |cause: reqwest::Error| CallError::Unreachable { url: self.base.clone(), cause: cause.without_url() };
        let mut request = self.http.request(method, url).bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let mut envelope: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if envelope.get("status").and_then(Value::as_bool).is_none() {
            return Err(CallError::NotTheApi { url: self.base.clone(), status: status.as_u16() });
        }
        if !status.is_success() {
            return Err(CallError::Refused {
                status: status.as_u16(),
                message: self.explained(status, text(&envelope, "/message")),
                retry_after: retry_after(&headers),
            });
        }
        Ok(Answer { data: envelope.get_mut("data").map(Value::take).unwrap_or_default(), headers })
    }

    /// The API's message, and what it cannot know.
    fn explained(&self, status: StatusCode, message: &str) -> String {
        let message = crate::output::plain(message);
        let is_lost = matches!(message.as_str(), "project not found" | "failed to retrieve project");
        match status {
            StatusCode::UNAUTHORIZED => format!("{message}; the key is wrong, expired or revoked"),
            StatusCode::BAD_REQUEST if is_lost && self.project.is_none() => {
                format!("{message}; a personal key needs --project")
            }
            _ => message,
        }
    }
}

/// An HTTP client that waits for nothing for ever.
///
/// # Errors
/// It cannot be built.
pub fn http() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .user_agent(concat!("posthouse/", env!("CARGO_PKG_VERSION")))
        .build()
        .context("no HTTP client can be built")
}

/// The URL of a path, each segment of which may hold anything.
pub fn below(base: &Url, root: &[&str], path: &[&str], query: Query) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(root).extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_below_the_base_and_hold_what_they_are_given() {
        let base = "https://one.example/hooks/".parse().unwrap();
        let url = below(&base, &["api", "v1"], &["events", "a/../b?c"], vec![("q", "1 & 2".into()), ("q", "é".into())]);
        assert_eq!(url.as_str(), "https://one.example/hooks/api/v1/events/a%2F..%2Fb%3Fc?q=1+%26+2&q=%C3%A9");
    }
}
