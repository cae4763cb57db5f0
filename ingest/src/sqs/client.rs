//! The service's client, over HTTP as the other roles speak it, so that certificates are checked in one way for all brokers.
//! Its own retries are off: what fails is seen, and tried again by ingest's waits.

use std::time::Duration;

use aws_sdk_sqs::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig,
        http::{HttpRequest, HttpResponse},
        retry::RetryConfig,
    },
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_types::body::SdkBody;
use posthouse_broker_settings::SqsSettings;

use super::connection::WAITS;
use crate::broker::{client_config, innermost};

/// Longest wait for a connection, and for an answer beside what a request itself waits.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Largest answer: ten messages of 1 MiB with their attributes, as JSON.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What is shown of the service's own words, in characters.
const WORDS_MAX: usize = 300;

/// A client that signs with the key of these settings.
///
/// # Errors
/// The certificate authority is no PEM certificate; in words for the source's owner.
pub(super) fn client(settings: &SqsSettings) -> Result<Client, String> {
    let tls = client_config(settings.ca_certificate.as_deref(), "pub_sub.sqs.ca_certificate")?;
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(ANSWER_MAX)
        .timeout(WAITS + ANSWER_MAX)
        .build()
        .map_err(|error| innermost(&error))?;
    let connector = Connector(http);
    let (id, secret) = (settings.access_key_id.clone(), settings.secret_key.clone());
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(Credentials::new(id, secret, settings.session_token.clone(), None, "posthouse"))
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint.to_string());
    }
    Ok(Client::from_conf(config.build()))
}

/// The service's own words where it gave some.
pub(super) fn words<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> String {
    match error.code() {
        Some(code) => {
            let message: String = error.message().unwrap_or_default().chars().take(WORDS_MAX).collect();
            format!("the service refuses: {code}: {message}")
        }
        None => format!("the service cannot be used: {}", innermost(error)),
    }
}

/// Sends the requests that the library has made.
#[derive(Debug, Clone)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move { answer(&http, request).await })
    }
}

async fn answer(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::user(error);
    let request = request.try_into_http1x().map_err(|error| wrong(error.into()))?;
    let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
    let request = reqwest::Request::try_from(request).map_err(|error| wrong(error.into()))?;
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => ConnectorError::timeout(error.into()),
        false => ConnectorError::io(error.into()),
    };
    let mut response = http.execute(request).await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ConnectorError::other("the answer is too large".into(), None));
        }
        body.extend_from_slice(&chunk);
    }
    let status = response.status().as_u16().try_into().map_err(|_| ConnectorError::user("no status".into()))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            let added = answer.headers_mut().try_append(name.as_str().to_owned(), value.to_owned());
            added.map_err(|error| wrong(error.into()))?;
        }
    }
    Ok(answer)
}
