//! Why a message will never become an event. The words name fields, never values: they go to logs and metrics.

use serde_json::error::Category;

/// A message that no repetition would make acceptable. It is acknowledged, counted, logged and kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The body is no JSON document.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON, but not an object, or with a key that is unknown or given twice.
    #[error("the body is not an object with only the known keys, each once")]
    Shape,
    /// A field that this kind of message needs is absent or blank.
    #[error("{0} is required")]
    Missing(&'static str),
    /// A field has the wrong type, is too long, or holds a control character.
    #[error("{0} is not valid")]
    Invalid(&'static str),
    /// The message type is none of `single`, `fanout` and `broadcast`.
    #[error("the message type must be single, fanout or broadcast")]
    MessageType,
    /// A header has a name or value that HTTP does not allow, or there are too many.
    #[error("custom_headers are not valid")]
    Headers,
    /// A function of the source gave no result.
    #[error("the {name} failed")]
    Function {
        /// Which one, as the API names it.
        name: &'static str,
        /// Why, for whoever wrote it: it may hold parts of the message.
        reason: String,
    },
    /// The body is larger than [`super::MESSAGE_BYTES_MAX`].
    #[error("the body is too large")]
    TooLarge,
    /// A broker repeated the last state of a topic to its new subscriber: no new event.
    #[error("the message is a retained one")]
    Retained,
}

impl Rejection {
    /// The word for metrics: one of a closed set.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::Shape => "shape",
            Self::Missing(_) => "missing_field",
            Self::Invalid(_) => "invalid_field",
            Self::MessageType => "message_type",
            Self::Headers => "headers",
            Self::Function { .. } => "function",
            Self::TooLarge => "too_large",
            Self::Retained => "retained",
        }
    }

    /// The whole story, for the owner of the message and for no log.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Function { reason, .. } => format!("{self}: {reason}"),
            other => other.to_string(),
        }
    }

    pub(super) fn of_envelope(error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Shape,
            Category::Syntax | Category::Eof | Category::Io => Self::NotJson,
        }
    }
}
