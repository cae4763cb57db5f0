//! From what a caller wrote to what is stored: every field is checked, and the message names it.

use posthouse_schema::{
    source::{Source, SourceValues},
    text_array::TextArray,
    words::SourceKind,
};
use salvo::http::HeaderValue;
use serde_json::{Value, json};

use super::{
    broker,
    wire::{CustomResponseBody, SourceBody},
};
use crate::{
    body::{bounded, no_nul, required},
    error::ApiError,
    functions::checked,
    ingest::{
        location::{Location, LocationFault},
        verifier::Verifier,
    },
};

const LIST_MAX: usize = 50;
/// Between a minute and 30 days: events are there for so long at least in a usual deployment.
const STALE_AFTER: std::ops::RangeInclusive<i32> = 60..=2_592_000;
/// Longest duration of a rate limit.
const DAY_SECONDS: i32 = 86_400;
/// Bytes of a custom answer.
const RESPONSE_BYTES_MAX: usize = 51_200;

/// The function of a source; only those of brokers run any.
fn function(
    field: &'static str,
    kind: SourceKind,
    given: Option<String>,
    stored: Option<&String>,
) -> Result<Option<String>, ApiError> {
    match given {
        // A source of another kind has none, even where it had one before.
        None => Ok(stored.filter(|_| kind == SourceKind::PubSub).cloned()),
        Some(given) => match checked(field, Some(given))? {
            Some(_) if kind != SourceKind::PubSub => {
                Err(ApiError::invalid(format!("{field}: only sources of type pub_sub run functions")))
            }
            function => Ok(function),
        },
    }
}

/// The values of a new source, or of a changed one where `old` is given: what is missing then keeps its value.
///
/// # Errors
/// 400 naming the field; 503 when what is stored cannot be read.
pub fn values(body: SourceBody, old: Option<&Source>) -> Result<SourceValues, ApiError> {
    let name = required("name", body.name, "please provide a source name")?;
    let kind = required("type", body.kind, "please provide a type")?;
    let kind = SourceKind::parse(&kind).ok_or_else(|| ApiError::invalid("type:unsupported source type"))?;
    let provider = body.provider.or_else(|| old.map(|old| old.provider.clone())).unwrap_or_default();
    if !["", "github", "twitter", "shopify"].contains(&provider.as_str()) {
        return Err(ApiError::invalid("provider: one of github, twitter, shopify is expected"));
    }
    let mut verifier = body.verifier;
    let stored = old.map(Source::verifier).transpose()?.flatten();
    let stored_pub_sub = old.map(Source::pub_sub).transpose()?.flatten();
    let stored = stored.as_ref();
    if let Some(given) = &mut verifier {
        given.keep_secrets(stored);
    }
    // A change that does not speak of the verifier must not open the source to everyone.
    let verifier = verifier.unwrap_or_else(|| super::verifier::VerifierBody::stored(stored)).checked(&provider)?;
    let event_type_location =
        body.event_type_location.unwrap_or_else(|| old.map(|old| old.event_type_location.clone()).unwrap_or_default());
    check_event_type_location(&event_type_location, &provider, &verifier)?;
    let idempotency_keys = match body.idempotency_keys {
        Some(given) => idempotency_keys(given)?,
        None => old.map(|old| old.idempotency_keys.clone()).unwrap_or_default(),
    };
    let stored = (old.and_then(|old| old.body_function.as_ref()), old.and_then(|old| old.header_function.as_ref()));
    let body_function = function("body_function", kind, body.body_function, stored.0)?;
    let header_function = function("header_function", kind, body.header_function, stored.1)?;
    let rate_limit = number("rate_limit", body.rate_limit, old.map(|old| old.rate_limit), i32::MAX)?;
    let stored = old.map(|old| old.rate_limit_duration_seconds);
    let rate_limit_duration_seconds = number("rate_limit_duration", body.rate_limit_duration, stored, DAY_SECONDS)?;
    Ok(SourceValues {
        name,
        kind,
        provider,
        is_disabled: body.is_disabled.unwrap_or(old.is_some_and(|old| old.is_disabled)),
        verifier: Some(verifier),
        custom_response: match body.custom_response {
            Some(given) => custom_response(given)?,
            None => old.and_then(|old| old.custom_response.clone()),
        },
        forward_headers: match body.forward_headers {
            Some(given) => list("forward_headers", given)?,
            None => old.map(|old| old.forward_headers.clone()).unwrap_or_default(),
        },
        pub_sub: if kind == SourceKind::PubSub {
            Some(broker::checked(body.pub_sub, stored_pub_sub.as_ref())?)
        } else {
            None
        },
        idempotency_keys,
        event_type_location,
        body_function,
        header_function,
        stale_after_seconds: match body.stale_after_seconds {
            Some(seconds) => stale_after(seconds)?,
            None => old.and_then(|old| old.stale_after_seconds),
        },
        rate_limit,
        rate_limit_duration_seconds,
    })
}

/// 0 for never. The look at sources comes once a minute, so that less would be no promise.
fn stale_after(seconds: u32) -> Result<Option<i32>, ApiError> {
    let known = i32::try_from(seconds).ok().filter(|seconds| *seconds == 0 || STALE_AFTER.contains(seconds));
    let (least, most) = (STALE_AFTER.start(), STALE_AFTER.end());
    let expected = || ApiError::invalid(format!("stale_after_seconds: 0, or between {least} and {most} is expected"));
    Ok(Some(known.ok_or_else(expected)?).filter(|seconds| *seconds > 0))
}

/// What is given, else what is stored, else 0.
fn number(field: &'static str, given: Option<i64>, stored: Option<i32>, max: i32) -> Result<i32, ApiError> {
    let Some(given) = given else { return Ok(stored.unwrap_or_default()) };
    let number = i32::try_from(given).ok().filter(|number| (0..=max).contains(number));
    number.ok_or_else(|| ApiError::invalid(format!("{field}: a number between 0 and {max} is expected")))
}

/// The event type must be covered by the signature where there is one, or anyone on the way could choose it.
fn check_event_type_location(text: &str, provider: &str, verifier: &Value) -> Result<(), ApiError> {
    if text.is_empty() {
        return Ok(());
    }
    bounded("event_type_location", text)?;
    let location = Location::parse(text).map_err(|fault| refused("event type location", &fault, text))?;
    if matches!(location, Location::Body(_)) {
        return Ok(());
    }
    if text.split('.').count() > 3 {
        return Err(ApiError::invalid("event type location: only a selector of the body may be nested"));
    }
    if Verifier::of(provider, Some(verifier)).is_ok_and(|verifier| verifier.signs_body()) {
        return Err(ApiError::invalid(
            "event type location cannot use request headers or query parameters with payload signature verification",
        ));
    }
    Ok(())
}

fn idempotency_keys(given: Vec<String>) -> Result<TextArray, ApiError> {
    let keys = list("idempotency_keys", given)?;
    for text in &keys.0 {
        Location::parse(text).map_err(|fault| refused("idempotency key", &fault, text))?;
    }
    Ok(keys)
}

fn refused(what: &str, fault: &LocationFault, text: &str) -> ApiError {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    ApiError::invalid(format!("{fault} for {what} with value: {shown}"))
}

fn custom_response(given: CustomResponseBody) -> Result<Option<Value>, ApiError> {
    let (body, content_type) = (given.body.unwrap_or_default(), given.content_type.unwrap_or_default());
    no_nul("custom_response.body", &body)?;
    if body.len() > RESPONSE_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "custom_response.body: at most {RESPONSE_BYTES_MAX} bytes are accepted"
        )));
    }
    bounded("custom_response.content_type", &content_type)?;
    let is_content_type = content_type.is_empty()
        || HeaderValue::from_str(&content_type).is_ok() && content_type.split_once('/').is_some();
    if !is_content_type {
        return Err(ApiError::invalid("custom_response.content_type: a content type such as text/plain is expected"));
    }
    let is_empty = body.is_empty() && content_type.is_empty();
    Ok((!is_empty).then(|| json!({"body": body, "content_type": content_type})))
}

fn list(field: &'static str, values: Vec<String>) -> Result<TextArray, ApiError> {
    if values.len() > LIST_MAX {
        return Err(ApiError::invalid(format!("{field}: at most {LIST_MAX} entries are accepted")));
    }
    values.iter().try_for_each(|value| bounded(field, value))?;
    Ok(TextArray(values))
}
