//! Both versions of MQTT behind one face: the client library has a client of its own for each, which differ in their types
//! alone. What is particular to MQTT 5 is read here: user properties, and topics that are numbered to save their text.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, Outgoing, Publish, QoS, SubscribeReasonCode, v5};

use posthouse_broker_settings::{MqttSettings, Version};

use super::{
    acknowledgements::Acknowledgements,
    options::{self, Session},
};

/// What a caller sends by.
#[derive(Clone)]
pub(super) enum Client {
    Three(AsyncClient, Acknowledgements),
    /// Its broker is told how much it may send without an acknowledgement, so that they do not pile up.
    Five(v5::AsyncClient),
}

/// What has to be polled for anything to be sent or received.
pub(super) enum Network {
    Three(Box<EventLoop>, Acknowledgements),
    /// With the topics that the broker has given numbers to.
    Five(Box<v5::EventLoop>, HashMap<u16, String>),
}

/// What the network brought.
#[expect(clippy::large_enum_variant, reason = "it is a message nearly always")]
pub(super) enum Happening {
    /// The broker let us in.
    Connected,
    /// The subscription is answered.
    Subscribed {
        /// Whether it is refused.
        is_refused: bool,
    },
    /// A message.
    Brought(Publication),
    /// DISCONNECT went out.
    Left,
    /// Nothing that matters here.
    Other,
}

/// A message.
#[derive(Debug)]
pub(super) struct Publication {
    pub topic: String,
    pub payload: Bytes,
    pub is_retained: bool,
    pub qos: QoS,
    /// The user properties.
    pub headers: Vec<(String, String)>,
    /// What else MQTT 5 says of it.
    pub properties: BTreeMap<String, String>,
    /// What acknowledges it, without topic and payload.
    pub packet: Packet,
}

/// A message as its own version has it.
#[derive(Debug)]
pub(super) enum Packet {
    Three(Publish),
    Five(v5::mqttbytes::v5::Publish),
}

/// A client that is not connected; it has room for so many requests.
///
/// # Errors
/// The certificate authority is no PEM certificate; in words for the source's owner.
pub(super) fn client(settings: &MqttSettings, session: Session, requests: usize) -> Result<(Client, Network), String> {
    Ok(match settings.version {
        Version::Three => {
            let (client, events) = AsyncClient::new(options::three(settings, session)?, requests);
            let acknowledgements = Acknowledgements::default();
            (Client::Three(client, acknowledgements.clone()), Network::Three(Box::new(events), acknowledgements))
        }
        Version::Five => {
            let (client, events) = v5::AsyncClient::new(options::five(settings, session)?, requests);
            (Client::Five(client), Network::Five(Box::new(events), HashMap::new()))
        }
    })
}

impl Client {
    pub(super) fn subscribe(&self, topic: &str, qos: QoS) -> Result<(), String> {
        match self {
            Self::Three(client, _) => client.try_subscribe(topic, qos).map_err(|error| error.to_string()),
            Self::Five(client) => client.try_subscribe(topic, five(qos)).map_err(|error| error.to_string()),
        }
    }

    pub(super) fn unsubscribe(&self, topic: &str) -> Result<(), String> {
        match self {
            Self::Three(client, _) => client.try_unsubscribe(topic).map_err(|error| error.to_string()),
            Self::Five(client) => client.try_unsubscribe(topic).map_err(|error| error.to_string()),
        }
    }

    /// # Errors
    /// There is no room for it, or nobody polls any more; in words.
    pub(super) fn acknowledge(&self, packet: &Packet) -> Result<(), String> {
        match (self, packet) {
            (Self::Three(client, acknowledgements), Packet::Three(publish)) => {
                acknowledgements.send(client, publish).map_err(|error| error.to_string())
            }
            (Self::Five(client), Packet::Five(publish)) => client.try_ack(publish).map_err(|error| error.to_string()),
            _ => Err("the message came in another version of the protocol".to_owned()),
        }
    }

    /// `false`: nobody polls any more.
    pub(super) fn disconnect(&self) -> bool {
        match self {
            Self::Three(client, _) => client.try_disconnect().is_ok(),
            Self::Five(client) => client.try_disconnect().is_ok(),
        }
    }
}

impl Network {
    /// The next that happens. Never to be given up half-way: the client library would lose an acknowledgement.
    ///
    /// # Errors
    /// The connection has ended; in words.
    pub(super) async fn next(&mut self) -> Result<Happening, String> {
        match self {
            Self::Three(events, acknowledgements) => {
                Ok(match events.poll().await.map_err(|error| error.to_string())? {
                    Event::Incoming(Incoming::ConnAck(_)) => Happening::Connected,
                    Event::Incoming(Incoming::SubAck(answer)) => Happening::Subscribed {
                        is_refused: answer.return_codes.contains(&SubscribeReasonCode::Failure),
                    },
                    Event::Incoming(Incoming::Publish(publish)) => Happening::Brought(of_three(publish)),
                    Event::Outgoing(Outgoing::PubAck(_) | Outgoing::PubRec(_)) => {
                        acknowledgements.follow(events).await?;
                        Happening::Other
                    }
                    Event::Outgoing(Outgoing::Disconnect) => Happening::Left,
                    Event::Incoming(_) | Event::Outgoing(_) => Happening::Other,
                })
            }
            Self::Five(events, topics) => {
                use v5::mqttbytes::v5::SubscribeReasonCode as Reason;
                Ok(match events.poll().await.map_err(|error| error.to_string())? {
                    v5::Event::Incoming(v5::Incoming::ConnAck(_)) => Happening::Connected,
                    v5::Event::Incoming(v5::Incoming::SubAck(answer)) => {
                        let is_refused = !answer.return_codes.iter().all(|code| matches!(code, Reason::Success(_)));
                        Happening::Subscribed { is_refused }
                    }
                    v5::Event::Incoming(v5::Incoming::Publish(publish)) => {
                        Happening::Brought(of_five(publish, topics)?)
                    }
                    v5::Event::Outgoing(Outgoing::Disconnect) => Happening::Left,
                    v5::Event::Incoming(_) | v5::Event::Outgoing(_) => Happening::Other,
                })
            }
        }
    }

    /// Makes the client answer every PUBREL. The broker repeats those that an earlier connection did not answer, and the
    /// library, whose memory ends with the connection, would take them for a protocol error and never get past them.
    pub(super) fn expect_any_release(&mut self) {
        // Taking note of a QoS 2 message cannot fail and, with manual acknowledgement, answers nothing.
        match self {
            Self::Three(events, _) => {
                for packet_id in 1..=u16::MAX {
                    let mut publish = Publish::new("", QoS::ExactlyOnce, Vec::new());
                    publish.pkid = packet_id;
                    let answer = events.state.handle_incoming_packet(Incoming::Publish(publish));
                    debug_assert!(matches!(answer, Ok(None)));
                    events.state.events.clear();
                }
            }
            Self::Five(events, _) => {
                for packet_id in 1..=u16::MAX {
                    let mut publish = v5::mqttbytes::v5::Publish::new("", five(QoS::ExactlyOnce), Bytes::new(), None);
                    publish.pkid = packet_id;
                    let answer = events.state.handle_incoming_packet(v5::Incoming::Publish(publish));
                    debug_assert!(matches!(answer, Ok(None)));
                    events.state.events.clear();
                }
            }
        }
    }
}

fn of_three(mut publish: Publish) -> Publication {
    Publication {
        topic: std::mem::take(&mut publish.topic),
        payload: std::mem::take(&mut publish.payload),
        is_retained: publish.retain,
        qos: publish.qos,
        headers: Vec::new(),
        properties: BTreeMap::new(),
        packet: Packet::Three(publish),
    }
}

/// The library looks numbered topics up too, but only after it has handed the message out.
fn of_five(mut publish: v5::mqttbytes::v5::Publish, topics: &mut HashMap<u16, String>) -> Result<Publication, String> {
    let given = std::mem::take(&mut publish.topic);
    let mut topic =
        String::from_utf8(given.into()).map_err(|_| "the broker sent a topic that is no text".to_owned())?;
    let stated = publish.properties.take().unwrap_or_default();
    if let Some(number) = stated.topic_alias {
        if topic.is_empty() {
            topic = topics.get(&number).cloned().ok_or("the broker sent a number that stands for no topic")?;
        } else {
            topics.insert(number, topic.clone());
        }
    }
    let properties = [
        ("content_type", stated.content_type),
        ("response_topic", stated.response_topic),
        ("message_expiry_seconds", stated.message_expiry_interval.map(|seconds| seconds.to_string())),
    ];
    let properties = properties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Publication {
        topic,
        payload: std::mem::take(&mut publish.payload),
        is_retained: publish.retain,
        qos: match publish.qos {
            v5::mqttbytes::QoS::AtMostOnce => QoS::AtMostOnce,
            v5::mqttbytes::QoS::AtLeastOnce => QoS::AtLeastOnce,
            v5::mqttbytes::QoS::ExactlyOnce => QoS::ExactlyOnce,
        },
        headers: stated.user_properties,
        properties: properties.collect(),
        packet: Packet::Five(publish),
    })
}

const fn five(qos: QoS) -> v5::mqttbytes::QoS {
    match qos {
        QoS::AtMostOnce => v5::mqttbytes::QoS::AtMostOnce,
        QoS::AtLeastOnce => v5::mqttbytes::QoS::AtLeastOnce,
        QoS::ExactlyOnce => v5::mqttbytes::QoS::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::v5::{Publish as Five, PublishProperties};

    use super::*;

    fn numbered(topic: &str, number: u16) -> Five {
        let properties = PublishProperties { topic_alias: Some(number), ..PublishProperties::default() };
        Five::new(topic, v5::mqttbytes::QoS::AtLeastOnce, "x", Some(properties))
    }

    #[test]
    fn a_topic_s_number_stands_for_it_until_another_gets_it() {
        let mut topics = HashMap::new();
        let mut topic = |publish| of_five(publish, &mut topics).map(|publication| publication.topic);
        assert!(topic(numbered("", 1)).is_err());
        for (given, number, expected) in
            [("a", 1, "a"), ("b", 2, "b"), ("", 1, "a"), ("c", 1, "c"), ("", 1, "c"), ("", 2, "b")]
        {
            assert_eq!(topic(numbered(given, number)).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn properties_are_headers_and_what_is_known_of_a_message() {
        let properties = PublishProperties {
            user_properties: vec![("X-Trace".into(), "t".into()), ("X-Trace".into(), "u".into())],
            content_type: Some("application/json".into()),
            message_expiry_interval: Some(60),
            ..PublishProperties::default()
        };
        let publish = Five::new("t", v5::mqttbytes::QoS::ExactlyOnce, "body", Some(properties));
        let publication = of_five(publish, &mut HashMap::new()).unwrap();
        assert_eq!(
            (publication.topic.as_str(), &publication.payload[..], publication.qos),
            ("t", &b"body"[..], QoS::ExactlyOnce)
        );
        assert_eq!(publication.headers.len(), 2);
        assert_eq!(publication.properties["content_type"], "application/json");
        assert_eq!(publication.properties["message_expiry_seconds"], "60");
    }
}
