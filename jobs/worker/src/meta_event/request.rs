//! The request of a meta event: signed like a simple delivery, by the secret of the project's settings, contract
//! section 3.10.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use posthouse_schema::{
    meta_event::MetaEvent,
    project_config::{DEFAULT_REQUEST_ID_HEADER, DEFAULT_SIGNATURE_HEADER, MetaEventConfig, SignatureConfig},
};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::delivery::{
    redirect::Redirects,
    request::{DeliveryRequest, USER_AGENT},
    sign::{SignatureForm, signature},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// The request, or `None` where the settings name no URL to which one can go.
#[must_use]
pub fn build(event: &MetaEvent, config: &MetaEventConfig) -> Option<DeliveryRequest> {
    let url = Url::parse(&config.url).ok()?;
    let id = event.id.to_string();
    let key = hex::encode(Sha256::digest(id.as_bytes()));
    let secrets: &[&str] = &[config.secret.plain().ok()?];
    let signed =
        signature(&SignatureConfig::default(), SignatureForm::Simple, secrets, &event.payload, event.updated_at)?;
    let seconds = event.updated_at.timestamp();
    let standard = posthouse_signature::signatures(secrets, &id, seconds, &event.payload)?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", USER_AGENT),
        ("webhook-id", &id),
        (DEFAULT_SIGNATURE_HEADER, &signed),
        (DEFAULT_REQUEST_ID_HEADER, &key),
        ("webhook-timestamp", &seconds.to_string()),
        ("webhook-signature", &standard),
    ] {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
    }
    let (body, redirects) = (event.payload.clone().into(), Redirects::Kept);
    let project = event.project_id;
    Some(DeliveryRequest { url, headers, body, timeout: TIMEOUT, identity: None, redirects, project })
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use posthouse_schema::{
        ids::{MetaEventId, ProjectId},
        words::{DeliveryStatus, RetryStrategy},
    };

    use super::*;

    #[test]
    fn the_body_is_signed_as_it_is_sent() {
        let event = MetaEvent {
            project_id: ProjectId::generate(),
            id: "01BX5ZZKBKACTAV9WEVGEMMVRZ".parse::<MetaEventId>().unwrap(),
            event_type: "endpoint.created".into(),
            payload: br#"{"event":"invoice.paid","amount":2500,"currency":"EUR"}"#.to_vec(),
            status: DeliveryStatus::Scheduled,
            strategy: RetryStrategy::Linear,
            retry_interval_seconds: 1,
            retry_limit: 1,
            attempt_count: 0,
            next_send_time: Utc::now(),
            attempt: None,
            updated_at: Utc::now(),
        };
        let mut config = MetaEventConfig { url: "https://example.com/m".into(), ..MetaEventConfig::default() };
        config.secret = "sk_kit_current".into();
        let request = build(&event, &config).unwrap();
        assert_eq!(request.body, event.payload);
        // The same digest as the base64 one of deliveries, in hexadecimal.
        let signature = request.headers["x-convoy-signature"].to_str().unwrap();
        assert_eq!(signature, "8e6f2e870c8d0ca6881166e30d6046b1144f01e358990845328c30f25d3d835e");
        let key = request.headers["x-convoy-idempotency-key"].to_str().unwrap();
        assert_eq!((key.len(), request.headers["webhook-id"].to_str().unwrap()), (64, "01BX5ZZKBKACTAV9WEVGEMMVRZ"));
        config.url = "nonsense".into();
        assert!(build(&event, &config).is_none());
    }
}
