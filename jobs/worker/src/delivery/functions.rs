//! The functions of subscriptions: what they make of an event's data, once, before its deliveries are stored. Events that
//! need them wait here and not in a batch, so that a slow function holds up nobody's events but its project's.

use std::sync::Arc;

use posthouse_schema::ids::{ProjectId, SubscriptionId};
use posthouse_transform::{TransformError, Transformer};

/// A function whose result an event needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Whose.
    pub subscription_id: SubscriptionId,
    /// Its text.
    pub function: Arc<str>,
}

/// What a function made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The function.
    pub by: Needed,
    /// The payload of the delivery, or why there is none.
    pub payload: Result<String, String>,
}

/// What each function makes of the data of one event; `None` where too many functions of the project wait already.
///
/// # Errors
/// The machine cannot run a function now.
pub async fn make(
    transformer: &Transformer,
    project: ProjectId,
    needed: Vec<Needed>,
    data: &str,
) -> Result<Option<Vec<Made>>, TransformError> {
    let mut made = Vec::with_capacity(needed.len());
    for by in needed {
        let payload = match transformer.run(project.to_bits(), &by.function, data).await {
            Ok(transformed) => Ok(transformed.payload),
            Err(TransformError::Crowded) => return Ok(None),
            Err(error @ TransformError::Unavailable(_)) => return Err(error),
            Err(error) => Err(format!("the subscription's function failed: {error}")),
        };
        made.push(Made { by, payload });
    }
    Ok(Some(made))
}
