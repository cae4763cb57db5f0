//! Signatures: this build signs as the specification's examples do, and what the deployment sent last is signed as its
//! endpoint's secret says. The second is done as a receiver would: with the id, the time and the body of the request.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use posthouse_signature::signatures;
use serde_json::Value;

use super::check::Check;
use crate::api::{Access, Client, Query, text};

const PUBLISHED: &str = "signature";
const DELIVERED: &str = "signature-of-delivery";

/// Deliveries that are looked through for one that can be judged.
const DELIVERIES_MAX: usize = 20;

/// The specification's example, by its secret.
pub fn published() -> Check {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let signed = signatures(&[SECRET], ID, 1_614_265_330, br#"{"test": 2432232314}"#);
    if signed.as_deref() == Some(SIGNED) {
        Check::ok(PUBLISHED, "signs as Standard Webhooks publishes it")
    } else {
        Check::failed(PUBLISHED, "this build does not sign as Standard Webhooks publishes it", "build it anew")
    }
}

/// The newest delivery whose request can be verified.
pub async fn of_delivery(access: &Access) -> Check {
    match access.has_key() {
        Ok(true) => {}
        _ => return Check::skipped(DELIVERED, "no key of the API is given"),
    }
    match judge_newest(access).await {
        Ok(check) => check,
        Err(error) => Check::skipped(DELIVERED, format!("{error:#}")),
    }
}

async fn judge_newest(access: &Access) -> anyhow::Result<Check> {
    let client = access.connect().await?;
    let (deliveries, _) = client.page(&["eventdeliveries"], &Query::new(), DELIVERIES_MAX, None).await?;
    for delivery in &deliveries {
        if let Some(request) = Request::of(&client, delivery).await? {
            return Ok(request.judge());
        }
    }
    Ok(Check::skipped(DELIVERED, "there is no delivery of late whose request can be verified"))
}

/// A request as it was sent, with the secrets that could have signed it.
struct Request {
    delivery: String,
    signature: String,
    id: String,
    seconds: i64,
    body: String,
    secrets: Vec<String>,
}

impl Request {
    /// `None` where it cannot be verified: it was never sent, not signed in this way, or its secret has been replaced.
    async fn of(client: &Client, delivery: &Value) -> anyhow::Result<Option<Self>> {
        let (id, body) = (text(delivery, "/uid"), text(delivery, "/metadata/raw"));
        let attempts = client.get(&["eventdeliveries", id, "deliveryattempts"], Query::new()).await?;
        let Some(attempt) = attempts.as_array().and_then(|attempts| attempts.last()) else { return Ok(None) };
        let header = |name: &str| text(attempt, &format!("/request_http_header/{name}")).to_string();
        if body.is_empty() || !header("Content-Type").starts_with("application/json") {
            return Ok(None);
        }
        let Ok(seconds) = header("Webhook-Timestamp").parse() else { return Ok(None) };
        let endpoint = match client.get(&["endpoints", text(delivery, "/endpoint_id")], Query::new()).await {
            Err(error) if error.is_missing() => return Ok(None),
            endpoint => endpoint?,
        };
        let at = |value: &Value, field: &str| text(value, field).parse::<DateTime<Utc>>().ok();
        let requested = at(attempt, "/requested_at").context("the attempt has no time")?;
        let secrets: Vec<String> = endpoint
            .get("secrets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|secret| at(secret, "/created_at").is_some_and(|made| made <= requested))
            .map(|secret| text(secret, "/value").to_string())
            .collect();
        let (signature, webhook_id) = (header("Webhook-Signature"), header("Webhook-Id"));
        let is_verifiable = !signature.is_empty() && !secrets.is_empty();
        Ok(is_verifiable.then(|| Self {
            delivery: id.into(),
            signature,
            id: webhook_id,
            seconds,
            body: body.into(),
            secrets,
        }))
    }

    fn judge(&self) -> Check {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let expected = signatures(&secrets, &self.id, self.seconds, self.body.as_bytes()).unwrap_or_default();
        let is_right = self.signature.split(' ').any(|one| expected.split(' ').any(|other| one == other));
        let delivery = &self.delivery;
        if is_right {
            Check::ok(DELIVERED, format!("a receiver of {delivery} can verify it with the endpoint's secret"))
        } else {
            Check::failed(
                DELIVERED,
                format!("no secret of its endpoint verifies {delivery}"),
                "see that all workers are of one version; roll the secret if it could have been changed by hand",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict;

    fn request(secrets: &[&str]) -> Request {
        Request {
            delivery: "d1".into(),
            signature: signatures(&["one", "two"], "d1", 7, b"{}").unwrap(),
            id: "d1".into(),
            seconds: 7,
            body: "{}".into(),
            secrets: secrets.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_request_is_verified_by_any_of_its_secrets() {
        assert_eq!(published().verdict, Verdict::Ok);
        for secrets in [&["one"][..], &["two"], &["other", "one"]] {
            assert_eq!(request(secrets).judge().verdict, Verdict::Ok, "{secrets:?}");
        }
        assert_eq!(request(&["other"]).judge().verdict, Verdict::Failed);
        let changed = Request { body: "{ }".into(), ..request(&["one"]) };
        assert_eq!(changed.judge().verdict, Verdict::Failed);
    }
}
