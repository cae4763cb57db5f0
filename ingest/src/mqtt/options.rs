//! From a source's settings to the client library's: manual acknowledgement, a session that outlives the connection,
//! and certificates that are checked.

use std::{sync::Arc, time::Duration};

use posthouse_broker_settings::{MqttSettings, Qos};
use rumqttc::{MqttOptions, QoS, TlsConfiguration, Transport, v5};
use rustls::ClientConfig;

use crate::broker::client_config;

/// How often a silent connection is probed; the broker gives up after one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The protocol's own limit. A smaller one would end the connection over a message that the broker then repeats for
/// ever; larger messages than we accept are refused after they are read.
const PACKET_BYTES_MAX: usize = 268_435_455 + 5;

/// Messages without an acknowledgement that an MQTT 5 broker may send; by 3.1.1 it decides alone.
const RECEIVE_MAX: u16 = 1_000;
/// Topics that an MQTT 5 broker may number.
const TOPIC_ALIASES_MAX: u16 = 100;

/// Whether the broker keeps the session after the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// It keeps subscriptions and what is not yet acknowledged.
    Kept,
    /// It forgets what it kept under this client id.
    Forgotten,
}

/// Options of one connection by MQTT 3.1.1.
///
/// # Errors
/// The certificate authority is no PEM certificate; in words for the source's owner.
pub(super) fn three(settings: &MqttSettings, session: Session) -> Result<MqttOptions, String> {
    let mut options = MqttOptions::new(&settings.client_id, &settings.host, settings.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(session == Session::Forgotten)
        .set_manual_acks(true)
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    if let Some((username, password)) = &settings.credentials {
        options.set_credentials(username, password);
    }
    if let Some(transport) = transport(settings)? {
        options.set_transport(transport);
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

/// The same by MQTT 5.
pub(super) fn five(settings: &MqttSettings, session: Session) -> Result<v5::MqttOptions, String> {
    let mut options = v5::MqttOptions::new(&settings.client_id, &settings.host, settings.port);
    let expiry = match session {
        Session::Kept => settings.session_expiry_seconds,
        Session::Forgotten => 0,
    };
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(session == Session::Forgotten)
        .set_session_expiry_interval(Some(expiry))
        .set_receive_maximum(Some(RECEIVE_MAX))
        .set_topic_alias_max(Some(TOPIC_ALIASES_MAX))
        .set_max_packet_size(u32::try_from(PACKET_BYTES_MAX).ok())
        // Nothing is published, and the library makes room for this much.
        .set_outgoing_inflight_upper_limit(1);
    options.set_manual_acks(true);
    if let Some((username, password)) = &settings.credentials {
        options.set_credentials(username, password);
    }
    if let Some(transport) = transport(settings)? {
        options.set_transport(transport);
    }
    Ok(options)
}

fn transport(settings: &MqttSettings) -> Result<Option<Transport>, String> {
    let config = tls(settings)?;
    Ok(config.map(|config| Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config)))))
}

/// The encryption that the settings ask for.
pub(super) fn tls(settings: &MqttSettings) -> Result<Option<ClientConfig>, String> {
    match settings.is_tls {
        true => client_config(settings.ca_certificate.as_deref(), "pub_sub.mqtt.ca_certificate").map(Some),
        false => Ok(None),
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
        let settings = settings(&json!({"host": "h", "topic": "t", "username": "u", "session_expiry_seconds": 60}));
        let options = three(&settings, Session::Kept).unwrap();
        assert!(!options.clean_session() && options.manual_acks());
        assert!(options.credentials().is_some());
        let options = five(&settings, Session::Kept).unwrap();
        assert!(!options.clean_start() && options.manual_acks() && options.credentials().is_some());
        assert_eq!(options.session_expiry_interval(), Some(60));
        let options = five(&settings, Session::Forgotten).unwrap();
        assert!(options.clean_start() && options.session_expiry_interval() == Some(0));
    }

    #[test]
    fn tls_trusts_public_authorities_or_the_given_one() {
        assert!(three(&settings(&json!({"host": "h", "topic": "t", "tls": true})), Session::Kept).is_ok());
        for pem in ["nonsense", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            let broken = settings(&json!({"host": "h", "topic": "t", "tls": true, "ca_certificate": pem}));
            assert!(three(&broken, Session::Kept).unwrap_err().contains("ca_certificate"));
            assert!(five(&broken, Session::Kept).err().unwrap().contains("ca_certificate"));
        }
    }
}
