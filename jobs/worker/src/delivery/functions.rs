//! The functions of subscriptions: what they make of an event's data, once, before its deliveries are stored. Events that
//! need them wait here and not in a batch, so that a slow function holds up nobody's events but its project's.

use std::sync::Arc;

use posthouse_jobs::CreateEvent;
use posthouse_schema::ids::SubscriptionId;
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

/// An event's data, shared with the threads that run functions on it.
struct Data(Arc<CreateEvent>);

impl AsRef<str> for Data {
    fn as_ref(&self) -> &str {
        self.0.data.get()
    }
}

/// What each function makes of the data of one event; `None` where too many functions of the project wait already.
///
/// # Errors
/// The machine cannot run a function now.
pub async fn make(
    transformer: &Transformer,
    event: &Arc<CreateEvent>,
    needed: Vec<Needed>,
) -> Result<Option<Vec<Made>>, TransformError> {
    let tenant = event.project_id.to_bits();
    let mut made = Vec::with_capacity(needed.len());
    for by in needed {
        let payload = match transformer.run(tenant, Arc::clone(&by.function), Data(Arc::clone(event))).await {
            Ok(transformed) => Ok(transformed.payload),
            Err(TransformError::Crowded) => return Ok(None),
            Err(error @ TransformError::Unavailable(_)) => return Err(error),
            Err(error) => Err(format!("the subscription's function failed: {error}")),
        };
        made.push(Made { by, payload });
    }
    Ok(Some(made))
}
