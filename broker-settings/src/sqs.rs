//! The settings of an SQS source, `pub_sub.sqs` of the source, in the contract's names (section 2.10).

use std::{fmt, time::Duration};

use serde_json::Value;
use url::Url;

use crate::{
    endpoint::Endpoint,
    fields::{Fields, SettingsError},
};

/// Longest name of a queue, by the service's own rule.
const NAME_BYTES_MAX: usize = 80;
/// What the name of a queue ends with that keeps the sequence of its messages.
const FIFO: &str = ".fifo";
const REGION_BYTES_MAX: usize = 32;

/// Which queue to read and by whose key. `Debug` does not print secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SqsSettings {
    /// The key's id.
    pub access_key_id: String,
    /// The secret part of the key.
    pub secret_key: String,
    /// Makes a temporary key complete.
    pub session_token: Option<String>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The queue's name.
    pub queue: String,
    /// The account that the queue belongs to; the key's own unless given.
    pub account: Option<String>,
    /// Where the service is asked; its public address in the region unless given.
    pub endpoint: Option<Endpoint>,
    /// After so long without an answer a message is given to another.
    pub redeliver_after: Duration,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

impl SqsSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "sqs")?;
        let region = fields.required("default_region", "the queue's region")?;
        let is_of_region = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        if region.len() > REGION_BYTES_MAX || !region.chars().all(is_of_region) {
            return Err(fields.wrong("default_region", "a region such as eu-central-1 is expected"));
        }
        let given = fields.required("queue_name", "the queue's name")?;
        let queue = queue(&given);
        let (queue, account) = queue.ok_or_else(|| {
            fields.wrong(
                "queue_name",
                "a queue's name, or its URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, is expected",
            )
        })?;
        Ok(Self {
            access_key_id: fields.required("access_key_id", "the access key's id")?,
            secret_key: fields.required("secret_key", "the secret access key")?,
            session_token: fields.file("session_token")?,
            region,
            queue,
            account,
            endpoint: Endpoint::read(&fields)?,
            redeliver_after: fields.redeliver_after(2..=3_600)?,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }

    /// Whether the queue keeps the sequence of each of its groups of messages.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.queue.ends_with(FIFO)
    }
}

/// Name and account of a queue that is given by its name or its URL.
fn queue(given: &str) -> Option<(String, Option<String>)> {
    let (name, account) = match given.contains('/') {
        false => (given.to_owned(), None),
        true => {
            let url: Url = given.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"))?;
            let mut parts = url.path_segments()?;
            let (account, name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            let is_account = !account.is_empty() && account.chars().all(|char| char.is_ascii_digit());
            if !is_account || parts.next().is_some() || url.query().is_some() {
                return None;
            }
            (name, Some(account))
        }
    };
    let bare = name.strip_suffix(FIFO).unwrap_or(&name);
    let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    (!bare.is_empty() && name.len() <= NAME_BYTES_MAX && bare.chars().all(is_name)).then_some((name, account))
}

impl fmt::Debug for SqsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsSettings")
            .field("region", &self.region)
            .field("queue", &self.queue)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: &Value) -> Result<SqsSettings, SettingsError> {
        let mut settings = json!({"access_key_id": "AKID", "secret_key": "secret", "default_region": "eu-central-1",
            "queue_name": "orders"});
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        SqsSettings::read(&json!({"type": "sqs", "sqs": settings}))
    }

    #[test]
    fn key_region_and_queue_are_enough() {
        let settings = read(&json!({})).unwrap();
        assert_eq!((settings.access_key_id.as_str(), settings.secret_key.as_str()), ("AKID", "secret"));
        assert_eq!((settings.region.as_str(), settings.queue.as_str()), ("eu-central-1", "orders"));
        assert!(!settings.is_fifo() && settings.endpoint.is_none() && settings.session_token.is_none());
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn everything_given_is_used() {
        let settings = read(&json!({"queue_name": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo",
            "session_token": "t", "endpoint": "http://localhost:9324", "redeliver_after_seconds": 5, "ca_certificate": "pem"}))
        .unwrap();
        assert_eq!((settings.queue.as_str(), settings.account.as_deref()), ("orders.fifo", Some("123456789012")));
        assert!(settings.is_fifo() && settings.session_token.as_deref() == Some("t"));
        assert_eq!(settings.endpoint.unwrap().to_string(), "http://localhost:9324");
        assert_eq!(settings.redeliver_after, Duration::from_secs(5));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (change, field) in [
            (json!({"access_key_id": null}), "access_key_id: the access key's id is required"),
            (json!({"secret_key": ""}), "secret_key: the secret access key is required"),
            (json!({"secret_key": 12_345}), "secret_key"),
            (json!({"default_region": null}), "default_region: the queue's region is required"),
            (json!({"default_region": "evil.example/"}), "default_region"),
            (json!({"queue_name": ""}), "queue_name: the queue's name is required"),
            (json!({"queue_name": "a b"}), "queue_name: a queue's name"),
            (json!({"queue_name": ".fifo"}), "queue_name"),
            (json!({"queue_name": "n".repeat(81)}), "queue_name"),
            (json!({"queue_name": "https://sqs.example/orders"}), "queue_name"),
            (json!({"queue_name": "https://sqs.example/1/orders/more"}), "queue_name"),
            (json!({"endpoint": "localhost"}), "endpoint: a URL"),
            (json!({"redeliver_after_seconds": 1}), "redeliver_after_seconds: a number between 2 and 3600"),
        ] {
            let error = read(&change).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{change}: {error}");
        }
    }
}
