//! Redis Streams, `pub_sub.redis`.

use serde_json::Value;

use super::fields::Fields;
use crate::error::ApiError;

/// As ingest reads them.
pub(super) fn check(settings: &Value) -> Result<(), ApiError> {
    let fields = Fields::of(settings, "pub_sub.redis")?;
    fields.place()?;
    fields.required("stream", "the stream's key")?;
    fields.number("database", 0..=65_535)?;
    fields.texts(["group", "body_field"])?;
    if let Some(auth) = fields.object("auth", "username and password are expected")? {
        auth.texts(["username", "password"])?;
    }
    fields.consumption()?;
    fields.encryption()
}
