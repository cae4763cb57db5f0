//! What is shown of a resource with a stored secret that this instance cannot read: everything else.

use posthouse_schema::sealed::Unopened;
use serde_json::{Value, json};

/// The secret, if it can be read. Why not goes into the log.
pub fn shown<T>(opened: Result<T, Unopened>) -> Option<T> {
    opened.inspect_err(|why| tracing::error!(error = %why, "A stored secret cannot be read, and is not shown.")).ok()
}

/// A document with secrets, or one that says of itself that it cannot be read. None that is sent to us may say so.
pub fn document(opened: Result<Option<Value>, Unopened>) -> Option<Value> {
    shown(opened).unwrap_or_else(|| Some(json!({"type": "locked"})))
}
