//! From a source's settings to the client library's: manual acknowledgement, a session that outlives the connection,
//! and certificates that are checked.

use std::{sync::Arc, time::Duration};

use posthouse_broker_settings::{MqttSettings, Qos};
use rumqttc::{MqttOptions, QoS, TlsConfiguration, Transport};

use crate::broker::client_config;

/// How often a silent connection is probed; the broker gives up after one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The protocol's own limit. A smaller one would end the connection over a message that the broker then repeats for
/// ever; larger messages than we accept are refused after they are read.
const PACKET_BYTES_MAX: usize = 268_435_455 + 5;

/// Whether the broker keeps the session after the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// It keeps subscriptions and what is not yet acknowledged.
    Kept,
    /// It forgets what it kept under this client id.
    Forgotten,
}

/// Options of one connection.
///
/// # Errors
/// The certificate authority is no PEM certificate; in words for the source's owner.
pub(super) fn options(settings: &MqttSettings, session: Session) -> Result<MqttOptions, String> {
    let mut options = MqttOptions::new(&settings.client_id, &settings.host, settings.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(session == Session::Forgotten)
        .set_manual_acks(true)
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    if let Some((username, password)) = &settings.credentials {
        options.set_credentials(username, password);
    }
    if settings.is_tls {
        let config = client_config(settings.ca_certificate.as_deref(), "pub_sub.mqtt.ca_certificate")?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(options)
}

/// The quality of service in the library's words.
pub(super) const fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(mqtt: &serde_json::Value) -> MqttSettings {
        MqttSettings::read(&json!({"mqtt": mqtt}), "own").unwrap()
    }

    #[test]
    fn the_session_stays_and_acknowledgements_are_ours() {
        let options = options(&settings(&json!({"host": "h", "topic": "t", "username": "u"})), Session::Kept).unwrap();
        assert!(!options.clean_session() && options.manual_acks());
        assert!(options.credentials().is_some());
    }

    #[test]
    fn tls_trusts_public_authorities_or_the_given_one() {
        assert!(options(&settings(&json!({"host": "h", "topic": "t", "tls": true})), Session::Kept).is_ok());
        for pem in ["nonsense", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            let broken = settings(&json!({"host": "h", "topic": "t", "tls": true, "ca_certificate": pem}));
            assert!(options(&broken, Session::Kept).unwrap_err().contains("ca_certificate"));
        }
    }
}
