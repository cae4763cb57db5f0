//! What is kept of a message that will never be an event as it is.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use posthouse_jobs::StoreRejectedMessage;
use posthouse_schema::ids::RejectedMessageId;

use super::{Origin, Rejection};

/// Bytes of a message that are kept. One that has more can be looked at, but not read again.
pub const KEPT_BYTES_MAX: usize = 256 * 1024;
/// Characters of a text that its broker says of it.
const METADATA_CHARS_MAX: usize = 1_024;
/// What stands before the name of a header among what is kept.
const HEADER: &str = "header.";

/// A refused message as it came in.
#[derive(Debug)]
pub struct Refused<'a> {
    /// Its bytes, or at least the first [`KEPT_BYTES_MAX`].
    pub payload: &'a [u8],
    /// How many it had.
    pub payload_bytes: usize,
    /// What its broker says of it, such as the topic.
    pub metadata: BTreeMap<String, String>,
    /// The headers that its broker has beside the body.
    pub beside: Vec<(String, String)>,
}

/// The headers beside the body, of what is kept of a message.
#[must_use]
pub fn beside(metadata: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let header = |(name, value): (&String, &String)| Some((name.strip_prefix(HEADER)?.to_owned(), value.clone()));
    metadata.iter().filter_map(header).collect()
}

impl Refused<'_> {
    /// The job that keeps it. `None`: it is nothing to keep.
    #[must_use]
    pub fn kept(self, origin: &Origin, rejection: &Rejection) -> Option<StoreRejectedMessage> {
        if *rejection == Rejection::Retained {
            return None; // A state that comes again at every subscription.
        }
        let payload = self.payload.get(..KEPT_BYTES_MAX).unwrap_or(self.payload);
        let beside = self.beside.into_iter().map(|(name, value)| (format!("{HEADER}{name}"), value));
        let metadata = self.metadata.into_iter().chain(beside);
        let metadata = metadata.map(|(name, value)| (storable(&name), storable(&value)));
        Some(StoreRejectedMessage {
            project_id: origin.project_id,
            message_id: RejectedMessageId::generate(),
            source_id: origin.source_id,
            reason: rejection.reason().into(),
            detail: storable(&rejection.detail()),
            payload: BASE64_STANDARD.encode(payload),
            payload_bytes: self.payload_bytes as u64,
            metadata: metadata.collect(),
        })
    }
}

/// A text that the ledger can hold.
#[must_use]
pub fn storable(text: &str) -> String {
    text.chars().take(METADATA_CHARS_MAX).map(|char| if char == '\0' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use posthouse_schema::{
        ids::{ProjectId, SourceId},
        words::ProjectKind,
    };

    use super::*;
    use crate::message::SourceFunctions;

    #[test]
    fn the_beginning_of_a_large_message_is_kept_and_texts_can_be_stored() {
        let origin = Origin {
            project_id: ProjectId::generate(),
            project_kind: ProjectKind::Outgoing,
            source_id: SourceId::generate(),
            functions: SourceFunctions::default(),
        };
        let bytes = vec![0xff; KEPT_BYTES_MAX + 1];
        let refused = || Refused {
            payload: &bytes,
            payload_bytes: bytes.len(),
            metadata: BTreeMap::from([("topic".into(), format!("a\0{}", "ä".repeat(2_000)))]),
            beside: vec![("X-Kind".into(), "a".into())],
        };
        assert_eq!(refused().kept(&origin, &Rejection::Retained), None);
        let rejection = Rejection::Function { name: "body_function", reason: "x\0y".into() };
        let job = refused().kept(&origin, &rejection).unwrap();
        assert_eq!((job.reason.as_str(), job.detail.as_str()), ("function", "the body_function failed: x\u{fffd}y"));
        assert_eq!(BASE64_STANDARD.decode(&job.payload).unwrap(), bytes[..KEPT_BYTES_MAX]);
        assert_eq!(job.payload_bytes, bytes.len() as u64);
        assert_eq!(job.metadata["topic"].chars().count(), METADATA_CHARS_MAX);
        assert!(job.metadata["topic"].starts_with("a\u{fffd}ä"));
        assert_eq!(beside(&job.metadata), [("X-Kind".to_owned(), "a".to_owned())]);
    }
}
