//! The event type of messages that have none: devices publish bare data, and say by the topic what it is.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use posthouse_broker_settings::MqttSettings;

/// Where a level of the topic stands.
const OPEN: char = '{';
const CLOSE: char = '}';

/// A text with `{1}` for the topic's first level and so on, and `{topic}` for all of it with dots between its levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventTypeTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Level(usize),
    Topic,
}

/// The message that bare data is read as. Whoever is not named by its headers is everybody.
#[derive(Serialize)]
struct Envelope<'a> {
    event_type: &'a str,
    data: Data<'a>,
    custom_headers: MessageType,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Bytes { raw_base64: String },
}

#[derive(Serialize)]
struct MessageType {
    #[serde(rename = "x-convoy-message-type")]
    kind: &'static str,
}

impl EventTypeTemplate {
    /// The template of a source, if it has one.
    ///
    /// # Errors
    /// It is none; in words for the source's owner.
    pub(super) fn of(settings: &MqttSettings) -> Result<Option<Self>, String> {
        let Some(text) = &settings.event_type else { return Ok(None) };
        let wrong = "pub_sub.mqtt.event_type has something else in braces than topic or the number of a level";
        Self::parse(text).map(Some).ok_or_else(|| wrong.to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (name, after) = after.split_once(CLOSE)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "topic" => Part::Topic,
                level => Part::Level(level.parse().ok().filter(|level| *level > 0)?),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        (!text.is_empty() && !rest.contains(CLOSE)).then_some(Self(parts))
    }

    /// The event type of a message of this topic. A level that the topic does not have is empty.
    fn event_type(&self, topic: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Level(level) => topic.split('/').nth(level - 1).unwrap_or_default().to_owned(),
            Part::Topic => topic.replace('/', "."),
        };
        self.0.iter().map(part).collect()
    }

    /// The message that this payload is, with the payload as its data: JSON as it is, other text as a JSON string, and anything
    /// else in base64.
    pub(super) fn message(&self, topic: &str, payload: &[u8]) -> Bytes {
        let text = std::str::from_utf8(payload);
        let data = match text {
            Ok(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(json) => Data::Json(json),
                Err(_) => Data::Text(text),
            },
            Err(_) => Data::Bytes { raw_base64: BASE64_STANDARD.encode(payload) },
        };
        let event_type = self.event_type(topic);
        let envelope = Envelope { event_type: &event_type, data, custom_headers: MessageType { kind: "broadcast" } };
        // Texts and JSON can always be written.
        serde_json::to_vec(&envelope).map(Bytes::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_s_levels_become_an_event_type() {
        for (template, topic, expected) in [
            ("sensor.{2}.{3}", "site/north/temperature", "sensor.north.temperature"),
            ("{topic}", "a/b/c", "a.b.c"),
            ("reading", "a/b", "reading"),
            ("{1}{9}!", "a/b", "a!"),
        ] {
            assert_eq!(EventTypeTemplate::parse(template).unwrap().event_type(topic), expected, "{template}");
        }
        for wrong in ["", "{", "{}", "{0}", "{-1}", "{a}", "}", "a{1}}", "{1"] {
            assert_eq!(EventTypeTemplate::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn whatever_a_device_sends_is_data() {
        let template = EventTypeTemplate::parse("t.{1}").unwrap();
        for (payload, data) in [
            (&b"{ \"a\": 1.00 }"[..], r#"{ "a": 1.00 }"#),
            (b"21.50", "21.50"),
            (b"on \"it\"", r#""on \"it\"""#),
            (b"", r#""""#),
            (b"\xff\x00", r#"{"raw_base64":"/wA="}"#),
        ] {
            let message = template.message("x\"y", payload);
            let expected = format!(
                r#"{{"event_type":"t.x\"y","data":{data},"custom_headers":{{"x-convoy-message-type":"broadcast"}}}}"#
            );
            assert_eq!(std::str::from_utf8(&message).unwrap(), expected);
        }
    }
}
