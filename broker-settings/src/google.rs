//! The settings of a Google Pub/Sub source, `pub_sub.google` of the source, in the contract's names (section 2.10).

use std::{fmt, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    endpoint::Endpoint,
    fields::{Fields, SettingsError},
};

/// Longest name of a subscription, and what we accept of a project, in bytes.
const NAME_BYTES_MAX: usize = 255;
const KEY: &str = "the JSON key of a service account, as it is or in base64, is expected";

/// Which subscription to read and as whom. `Debug` does not print the key.
#[derive(Clone, PartialEq, Eq)]
pub struct GoogleSettings {
    /// The project that the subscription belongs to.
    pub project: String,
    /// The subscription's id, without its project.
    pub subscription: String,
    /// Whom the service knows us as.
    pub service_account: ServiceAccount,
    /// Where the service is asked; its public address unless given.
    pub endpoint: Option<Endpoint>,
    /// After so long without an answer a message is given to another.
    pub redeliver_after: Duration,
    /// PEM certificates to trust instead of the public authorities.
    pub ca_certificate: Option<String>,
}

/// What is used of a service account's JSON key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceAccount {
    /// Its name.
    pub client_email: String,
    /// Which of its keys this is.
    pub private_key_id: String,
    /// The key, PKCS #8 in PEM.
    pub private_key: String,
}

impl GoogleSettings {
    /// Reads a source's `pub_sub`.
    ///
    /// # Errors
    /// A setting is missing or out of its range.
    pub fn read(pub_sub: &Value) -> Result<Self, SettingsError> {
        let fields = Fields::of(pub_sub, "google")?;
        let name = |field: &str, what: &str, more: &[char]| {
            let name = fields.required(field, what)?;
            let is_name = |char: char| char.is_ascii_alphanumeric() || more.contains(&char);
            match name.len() <= NAME_BYTES_MAX && name.chars().all(is_name) {
                true => Ok(name),
                false => Err(fields.wrong(field, &format!("{what} is expected"))),
            }
        };
        let project = name("project_id", "the project's id", &['-', '.', ':'])?;
        let subscription =
            name("subscription_id", "the subscription's id, without its project,", &['-', '_', '.', '~', '+', '%'])?;
        let key = fields.file("service_account")?;
        let key = key.ok_or_else(|| fields.wrong("service_account", "the service account's JSON key is required"))?;
        Ok(Self {
            project,
            subscription,
            service_account: service_account(&key).ok_or_else(|| fields.wrong("service_account", KEY))?,
            endpoint: Endpoint::read(&fields)?,
            // The service's own bounds.
            redeliver_after: fields.redeliver_after(10..=600)?,
            ca_certificate: fields.file("ca_certificate")?,
        })
    }
}

fn service_account(key: &str) -> Option<ServiceAccount> {
    let json = match key.trim_start().starts_with('{') {
        true => key.as_bytes().to_vec(),
        false => BASE64_STANDARD.decode(key.split_ascii_whitespace().collect::<String>()).ok()?,
    };
    let account: ServiceAccount = serde_json::from_slice(&json).ok()?;
    let is_key = account.private_key.contains("-----BEGIN PRIVATE KEY-----");
    (is_key && !account.client_email.is_empty()).then_some(account)
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("client_email", &self.client_email).finish_non_exhaustive()
    }
}

impl fmt::Debug for GoogleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleSettings")
            .field("project", &self.project)
            .field("subscription", &self.subscription)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> String {
        json!({"type": "service_account", "client_email": "s@p.iam.gserviceaccount.com", "private_key_id": "k",
            "private_key": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"})
        .to_string()
    }

    fn read(change: &Value) -> Result<GoogleSettings, SettingsError> {
        let mut settings = json!({"project_id": "p-1", "subscription_id": "orders", "service_account": key()});
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        GoogleSettings::read(&json!({"type": "google", "google": settings}))
    }

    #[test]
    fn project_subscription_and_key_are_enough() {
        let settings = read(&json!({})).unwrap();
        assert_eq!((settings.project.as_str(), settings.subscription.as_str()), ("p-1", "orders"));
        assert_eq!(settings.service_account.client_email, "s@p.iam.gserviceaccount.com");
        assert_eq!((settings.endpoint.clone(), settings.redeliver_after), (None, Duration::from_secs(30)));
        assert!(!format!("{settings:?} {:?}", settings.service_account).contains("secret"));
        let encoded = BASE64_STANDARD.encode(key());
        let (start, end) = encoded.split_at(20);
        for encoded in [encoded.clone(), format!("{start}\n{end}\n")] {
            assert!(read(&json!({"service_account": encoded})).unwrap() == settings);
        }
    }

    #[test]
    fn everything_given_is_used() {
        let settings =
            read(&json!({"endpoint": "http://[::1]:8085", "redeliver_after_seconds": 600, "ca_certificate": "pem"}))
                .unwrap();
        assert_eq!(settings.endpoint.unwrap().port, 8085);
        assert_eq!(
            (settings.redeliver_after, settings.ca_certificate.as_deref()),
            (Duration::from_secs(600), Some("pem"))
        );
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        for (change, field) in [
            (json!({"project_id": null}), "project_id: the project's id is required"),
            (json!({"project_id": "a/b"}), "project_id: the project's id is expected"),
            (
                json!({"subscription_id": ""}),
                "subscription_id: the subscription's id, without its project, is required",
            ),
            (json!({"subscription_id": "projects/p/subscriptions/s"}), "subscription_id"),
            (json!({"service_account": null}), "service_account: the service account's JSON key is required"),
            (json!({"service_account": "12345"}), "service_account: the JSON key"),
            (json!({"service_account": "{\"private_key\": \"12345\"}"}), "service_account: the JSON key"),
            (json!({"service_account": {"private_key": "12345"}}), "service_account: a text"),
            (json!({"redeliver_after_seconds": 5}), "redeliver_after_seconds: a number between 10 and 600"),
            (json!({"endpoint": 7}), "endpoint"),
        ] {
            let error = read(&change).unwrap_err().to_string();
            assert!(error.contains(field) && !error.contains("12345"), "{change}: {error}");
        }
    }
}
