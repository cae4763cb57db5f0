//! The functions of a source: what they make of a message, and of its headers, before it is read as an event. A function
//! that fails makes its message one that will never be an event; one that cannot be run now is waited for.

use std::{sync::Arc, time::Duration};

use posthouse_transform::{TransformError, Transformer};

use super::{Origin, Rejection};

/// The wait where too many functions of the project are run already.
const PAUSE: Duration = Duration::from_millis(500);

/// The functions that a source has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFunctions {
    /// Makes a message of whatever JSON the broker brings.
    pub body: Option<Arc<str>>,
    /// Makes the message's headers.
    pub header: Option<Arc<str>>,
}

impl SourceFunctions {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.body.is_none() && self.header.is_none()
    }
}

/// What the function with this name makes of some JSON. Runs of one project share its turns.
pub(super) async fn made(
    transformer: &Transformer,
    origin: &Origin,
    (name, function): (&'static str, &Arc<str>),
    json: &str,
) -> Result<String, Rejection> {
    let json: Arc<str> = json.into();
    loop {
        match transformer.run(origin.project_id.to_bits(), Arc::clone(function), Arc::clone(&json)).await {
            Ok(transformed) => return Ok(transformed.payload),
            Err(TransformError::Payload) => return Err(Rejection::NotJson),
            Err(error @ (TransformError::Crowded | TransformError::Unavailable(_))) => {
                tracing::debug!(source.id = %origin.source_id, error = %error, "A function waits to be run.");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(Rejection::Function { name, reason: error.to_string() }),
        }
    }
}
