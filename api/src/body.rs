//! Reading a JSON body: within the limit, with messages that name what is wrong, contract section 1.3.

use salvo::prelude::*;
use serde::de::DeserializeOwned;

use crate::{app::App, error::ApiError};

/// The body as JSON. Unknown fields, and what follows the first value, are ignored.
///
/// # Errors
/// 413 beyond the limit, chunked or not; 400 with the place or the field where the body is wrong.
pub async fn read_json<T: DeserializeOwned>(req: &mut Request, app: &App) -> Result<T, ApiError> {
    let bytes = read(req, app).await?;
    parse(&bytes)
}

/// The body's bytes within the limit.
///
/// # Errors
/// 413 beyond the limit; 400 when the client broke off.
pub async fn read(req: &mut Request, app: &App) -> Result<bytes::Bytes, ApiError> {
    read_at_most(req, app.settings.body_bytes_max).await
}

/// The body's bytes, at most `limit` of them.
///
/// # Errors
/// 413 beyond the limit, chunked or not; 400 when the client broke off.
pub async fn read_at_most(req: &mut Request, limit: usize) -> Result<bytes::Bytes, ApiError> {
    let declared = req.header::<u64>("content-length").and_then(|length| usize::try_from(length).ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(ApiError::TooLarge(limit));
    }
    match req.payload_with_max_size(limit).await {
        Ok(bytes) => Ok(bytes.clone()),
        Err(salvo::http::ParseError::PayloadTooLarge) => Err(ApiError::TooLarge(limit)),
        Err(_) => Err(ApiError::invalid("the body could not be read to its end")),
    }
}

/// Reads the first JSON value of `bytes`.
///
/// # Errors
/// 400 with the place or the field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::invalid("body must not be empty"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(&mut deserializer).map_err(|error| ApiError::invalid(explain(&error)))
}

/// serde's own words where they name a field; the contract's where they name a place.
fn explain(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "body contains badly-formed JSON".into(),
        Category::Syntax | Category::Io => {
            format!("body contains badly-formed JSON (at line {}, character {})", error.line(), error.column())
        }
        Category::Data => {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            format!("body contains incorrect JSON: {reason} (at line {}, character {})", error.line(), error.column())
        }
    }
}

/// Refuses what PostgreSQL cannot store in a text.
///
/// # Errors
/// 400 naming the field.
pub fn no_nul(field: &'static str, text: &str) -> Result<(), ApiError> {
    if text.contains('\0') {
        Err(ApiError::invalid(format!("{field}: the NUL character is not accepted")))
    } else {
        Ok(())
    }
}

/// Refuses an empty or absent text, and one that is too long or holds NUL.
///
/// # Errors
/// 400 naming the field.
pub fn required(field: &'static str, text: Option<String>, complaint: &'static str) -> Result<String, ApiError> {
    let text = text
        .map(|text| text.trim().to_string())
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ApiError::invalid(format!("{field}:{complaint}")))?;
    bounded(field, &text)?;
    Ok(text)
}

/// Longest text of a single field, in bytes.
pub const TEXT_BYTES_MAX: usize = 2_048;

/// Refuses a text that is too long or holds NUL.
///
/// # Errors
/// 400 naming the field.
pub fn bounded(field: &'static str, text: &str) -> Result<(), ApiError> {
    no_nul(field, text)?;
    if text.len() > TEXT_BYTES_MAX {
        Err(ApiError::invalid(format!("{field}: at most {TEXT_BYTES_MAX} bytes are accepted")))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Body {
        name: Option<String>,
        count: Option<i32>,
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "body must not be empty"),
            (" \n", "body must not be empty"),
            ("{", "body contains badly-formed JSON"),
            ("{\"name\":}", "body contains badly-formed JSON (at line 1, character 9)"),
            (
                "{\"count\":\"x\"}",
                "body contains incorrect JSON: invalid type: string \"x\", expected i32 (at line 1, character 12)",
            ),
        ] {
            let error = parse::<Body>(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
        }
        let body: Body = parse(b"{\"name\":\"a\",\"other\":1} trailing").unwrap();
        assert_eq!(body, Body { name: Some("a".into()), count: None });
    }
}
