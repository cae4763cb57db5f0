//! A message of the queue as ingest's own.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{self, MessageSystemAttributeName};

use crate::broker::{Identity, Message};

/// What the service is asked to say of each message, and what it is called in a refused message's metadata.
pub(super) const SAID: [(MessageSystemAttributeName, &str); 3] = [
    (MessageSystemAttributeName::ApproximateReceiveCount, "receive_count"),
    (MessageSystemAttributeName::MessageGroupId, "message_group_id"),
    (MessageSystemAttributeName::SentTimestamp, "sent_at_ms"),
];

/// The message, to be answered by its receipt; `None`: it has none.
pub(super) fn message(message: types::Message) -> Option<Message<String>> {
    let said = message.attributes.unwrap_or_default();
    let metadata: BTreeMap<String, String> =
        SAID.iter().filter_map(|(name, ours)| Some(((*ours).to_owned(), said.get(name)?.clone()))).collect();
    // What is binary has no form in HTTP and is left out.
    let headers = message.message_attributes.unwrap_or_default().into_iter();
    let headers = headers.filter_map(|(name, attribute)| Some((name, attribute.string_value?)));
    let identity = message.message_id.as_ref().map(|id| Identity::of(&[id.as_bytes()]));
    Some(Message {
        headers: headers.collect(),
        identity,
        broker_message_id: message.message_id,
        metadata,
        ..Message::new(message.body.unwrap_or_default(), message.receipt_handle?)
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::{primitives::Blob, types::MessageAttributeValue};

    use super::*;

    fn attribute(kind: &str) -> aws_sdk_sqs::types::builders::MessageAttributeValueBuilder {
        MessageAttributeValue::builder().data_type(kind)
    }

    #[test]
    fn texts_and_numbers_are_headers_and_the_rest_is_metadata() {
        let given = types::Message::builder()
            .message_id("m-1")
            .receipt_handle("r")
            .body("{}")
            .message_attributes("X-Trace", attribute("String").string_value("t").build().unwrap())
            .message_attributes("x-count", attribute("Number").string_value("7").build().unwrap())
            .message_attributes("x-bytes", attribute("Binary").binary_value(Blob::new(b"b")).build().unwrap())
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
            .build();
        let mut read = message(given).unwrap();
        read.headers.sort();
        assert_eq!(read.headers, [("X-Trace".into(), "t".into()), ("x-count".into(), "7".into())]);
        assert_eq!(
            (read.broker_message_id.as_deref(), read.tag.as_str(), &read.body[..]),
            (Some("m-1"), "r", &b"{}"[..])
        );
        assert_eq!(read.metadata, BTreeMap::from([("receive_count".into(), "3".into())]));
        assert!(message(types::Message::builder().body("{}").build()).is_none());
    }
}
