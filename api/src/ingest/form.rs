//! Forms as JSON: a flat object of the first value of each field. Query parameters stay apart from them: they are not
//! covered by a signature over the body.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use multra::Multipart;
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Fields of one form.
const FIELDS_MAX: usize = 1_000;

/// The fields of a form, or `None` for a body of another content type.
///
/// # Errors
/// 400 for a form that cannot be read, or has too many fields.
pub async fn read(content_type: &str, body: &Bytes) -> Result<Option<Map<String, Value>>, ApiError> {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" => urlencoded(body).map(Some),
        "multipart/form-data" => multipart(content_type, body).await.map(Some),
        _ => Ok(None),
    }
}

fn urlencoded(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        keep(&mut fields, &name, || Value::from(value.as_ref()))?;
    }
    Ok(fields)
}

async fn multipart(content_type: &str, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    let boundary = multra::parse_boundary(content_type).map_err(|error| broken(&error))?;
    let once = futures::stream::iter([Ok::<Bytes, std::convert::Infallible>(body.clone())]);
    let mut parts = Multipart::try_new(once, boundary).map_err(|error| broken(&error))?;
    let mut fields = Map::new();
    while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
        let Some(name) = part.name().map(String::from) else {
            return Err(ApiError::invalid("Invalid request format: a part of the form has no name"));
        };
        let bytes = part.bytes().await.map_err(|error| broken(&error))?;
        keep(&mut fields, &name, || match std::str::from_utf8(&bytes) {
            Ok(text) => Value::from(text),
            Err(_) => json!({"raw_base64": STANDARD.encode(&bytes)}),
        })?;
    }
    Ok(fields)
}

/// Keeps the first value of a field.
fn keep(fields: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) -> Result<(), ApiError> {
    if fields.len() >= FIELDS_MAX {
        return Err(ApiError::invalid(format!("Invalid request format: at most {FIELDS_MAX} fields are accepted")));
    }
    if !fields.contains_key(name) {
        fields.insert(name.into(), value());
    }
    Ok(())
}

fn broken(error: &multra::Error) -> ApiError {
    ApiError::invalid(format!("Invalid request format: {error}"))
}
