//! A small client of the REST API. It follows no redirects and repeats nothing: what was answered is what is seen.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// A status with the JSON that came with it; `Null` when it was not JSON.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The envelope.
    pub body: Value,
}

impl Reply {
    /// The envelope's `data`, if the status is 2xx.
    ///
    /// # Errors
    /// It is not; the text has the status and the envelope's message.
    pub fn data(self) -> Result<Value> {
        let Self { status, mut body } = self;
        if !(200..300).contains(&status) {
            bail!("the API answered {status}: {body}");
        }
        Ok(body.get_mut("data").map(Value::take).unwrap_or_default())
    }
}

/// A caller of the API with one key and one project.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    project_url: String,
    key: String,
}

impl Client {
    /// A client for `base_url`, such as `http://127.0.0.1:5005`.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(base_url: &str, project_id: &str, key: &str) -> Result<Self> {
        Self::patient(base_url, project_id, key, REQUEST_LIMIT)
    }

    /// The same with another limit on the wait for an answer, which is 15 s.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn patient(base_url: &str, project_id: &str, key: &str, limit: Duration) -> Result<Self> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(limit);
        let project_url = format!("{base_url}/api/v1/projects/{project_id}");
        Ok(Self { http: builder.build().context("build the HTTP client")?, project_url, key: key.into() })
    }

    /// The same project with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.into(), ..self.clone() }
    }

    /// GETs a path below the project, such as `events?perPage=100`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    /// POSTs JSON.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    /// POSTs text that need not be JSON, as JSON.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post_text(&self, path: &str, body: String) -> Result<Reply> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// All rows of a paged list.
    ///
    /// # Errors
    /// A page is refused or has another shape.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?perPage=1000&next_page_cursor={cursor}")).await?.data()?;
            let content =
                page.get("content").and_then(Value::as_array).with_context(|| format!("no content in {page}"))?;
            rows.extend(content.iter().cloned());
            if page.pointer("/pagination/has_next_page") != Some(&json!(true)) {
                return Ok(rows);
            }
            let next = page.pointer("/pagination/next_page_cursor").and_then(Value::as_str);
            cursor = next.with_context(|| format!("no cursor in {page}"))?.into();
        }
    }

    /// Creates something and gives its `uid`.
    ///
    /// # Errors
    /// It is refused.
    pub async fn create(&self, path: &str, body: &Value) -> Result<String> {
        let data = self.post(path, body).await?.data().with_context(|| format!("create {path}"))?;
        let uid = data.get("uid").and_then(Value::as_str).with_context(|| format!("no uid in {data}"))?;
        Ok(uid.into())
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Reply> {
        let mut request = self.http.request(method, format!("{}/{path}", self.project_url)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request.send().await.with_context(|| format!("call {path}"))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.with_context(|| format!("read the answer of {path}"))?;
        Ok(Reply { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }
}
