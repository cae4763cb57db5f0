//! From what a caller wrote to what is stored: every field is checked, and the message names it.

use posthouse_egress::{Code, Rules};
use posthouse_schema::{
    endpoint::{Endpoint, EndpointValues, random_secret},
    ordering::Ordering,
    project::Project,
    sealed::Unopened,
    words::{FailingHead, ProjectKind},
};
use posthouse_signature::{Key, new_ed25519_secret};
use serde_json::Value;
use url::Url;

use super::client_cert;
use super::wire::{CREDENTIALS, EndpointBody, KEY_OF_PORTALS, REDACTED, Seconds};
use crate::{
    body::{bounded, required},
    error::ApiError,
    version::{Version, parse_duration},
};

const CONTENT_TYPES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];
/// Bytes of an endpoint's credentials.
const AUTHENTICATION_BYTES_MAX: usize = 16_384;
const TIMEOUT_SECONDS_MAX: i64 = 120;

/// What a stored endpoint keeps secret.
#[derive(Default)]
struct Stored {
    authentication: Option<Value>,
    mtls_client_cert: Option<Value>,
    slack_webhook_url: String,
    teams_webhook_url: String,
}

impl Stored {
    fn of(row: &Endpoint) -> Result<Self, Unopened> {
        Ok(Self {
            authentication: row.authentication()?,
            mtls_client_cert: row.mtls_client_cert()?,
            slack_webhook_url: row.slack_webhook_url()?,
            teams_webhook_url: row.teams_webhook_url()?,
        })
    }
}

/// The values of a new endpoint, or of a changed one where `old` is given.
///
/// # Errors
/// 400 naming the field; 503 when what is stored cannot be read.
pub fn values(
    body: EndpointBody,
    project: &Project,
    version: Version,
    old: Option<&Endpoint>,
) -> Result<EndpointValues, ApiError> {
    let name = required("name", body.name, "please provide the endpoint's name")?;
    let url = url(&required("url", body.url, "please provide the endpoint's url")?, project)?;
    let stored = old.map(Stored::of).transpose()?.unwrap_or_default();
    let mtls_client_cert = client_cert::checked(body.mtls_client_cert, stored.mtls_client_cert.as_ref(), &url)?;
    let kept = |new: Option<String>, old: Option<&String>| new.or_else(|| old.cloned()).unwrap_or_default();
    let advanced = if project.kind == ProjectKind::Incoming { Some(true) } else { body.advanced_signatures };
    let values = EndpointValues {
        name,
        url,
        description: body.description.unwrap_or_default(),
        owner_id: kept(body.owner_id, old.map(|old| &old.owner_id)),
        // Clients of the oldest versions mean simple signatures by saying nothing.
        advanced_signatures: advanced.or(old.map(|old| old.advanced_signatures)).unwrap_or(!version.has_text_durations),
        content_type: content_type(body.content_type)?,
        http_timeout_seconds: match body.http_timeout {
            None => old.map_or(0, |old| old.http_timeout_seconds),
            given => seconds("http_timeout", given, version, TIMEOUT_SECONDS_MAX)?,
        },
        rate_limit: rate_limit(body.rate_limit.unwrap_or(0), old.is_none())?,
        rate_limit_duration_seconds: seconds(
            "rate_limit_duration",
            body.rate_limit_duration,
            version,
            i64::from(i32::MAX),
        )?,
        authentication: authentication(body.authentication, stored.authentication.as_ref())?,
        mtls_client_cert,
        ordering: ordering(body.ordering, old.and_then(|old| old.ordering.as_ref()))?,
        follow_redirects: body.follow_redirects.or(old.map(|old| old.follow_redirects)).unwrap_or_default(),
        support_email: email(kept(body.support_email, old.map(|old| &old.support_email)))?,
        slack_webhook_url: kept(body.slack_webhook_url, Some(&stored.slack_webhook_url)),
        teams_webhook_url: kept(body.teams_webhook_url, Some(&stored.teams_webhook_url)),
    };
    for (field, text) in [
        ("description", &values.description),
        ("owner_id", &values.owner_id),
        ("slack_webhook_url", &values.slack_webhook_url),
        ("teams_webhook_url", &values.teams_webhook_url),
    ] {
        bounded(field, text)?;
    }
    Ok(values)
}

/// An endpoint's URL as it was given, if webhooks of the project can go there.
///
/// # Errors
/// 400 saying what is wrong with it.
pub fn url(text: &str, project: &Project) -> Result<String, ApiError> {
    let url = Url::parse(text).map_err(|_| ApiError::invalid("endpoint url must include a valid host"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ApiError::invalid("invalid endpoint scheme"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ApiError::invalid("endpoint url must include a valid host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ApiError::invalid("url: credentials belong into authentication, not into the url"));
    }
    if project.config.ssl.enforce_secure_endpoints && url.scheme() != "https" {
        return Err(ApiError::invalid("only https endpoints allowed"));
    }
    Ok(text.to_string())
}

/// Whether the rules let webhooks to this URL out, as far as that can be told without resolving its name. Where there are no
/// rules, that is left to each delivery. Ports are: egress may have others.
///
/// # Errors
/// 400 saying why.
pub fn permitted(url: &str, rules: Option<&Rules>) -> Result<(), ApiError> {
    let (Some(rules), Ok(url)) = (rules, Url::parse(url)) else { return Ok(()) };
    match rules.judge_url(&url) {
        Err(denial) if denial.code != Code::PortNotAllowed => Err(ApiError::invalid(format!("url: {denial}"))),
        _ => Ok(()),
    }
}

/// Clients make endpoints with -1, which means no limit as 0 does; a change to it was always refused.
fn rate_limit(given: i64, is_new: bool) -> Result<i32, ApiError> {
    let number = if is_new { given.max(-1) } else { given };
    i32::try_from(number)
        .ok()
        .filter(|number| is_new || *number >= 0)
        .ok_or_else(|| ApiError::invalid(format!("rate_limit: a number between 0 and {} is expected", i32::MAX)))
}

fn content_type(given: Option<String>) -> Result<String, ApiError> {
    let text = given.filter(|text| !text.is_empty()).unwrap_or_else(|| "application/json".into());
    if CONTENT_TYPES.contains(&text.as_str()) {
        Ok(text)
    } else {
        Err(ApiError::invalid(format!("content_type: one of {} is expected", CONTENT_TYPES.join(", "))))
    }
}

fn seconds(field: &'static str, given: Option<Seconds>, version: Version, max: i64) -> Result<i32, ApiError> {
    let number = match given {
        None => 0,
        Some(Seconds::Number(number)) => number,
        Some(Seconds::Text(text)) if version.has_text_durations => parse_duration(&text)
            .ok_or_else(|| ApiError::invalid(format!("{field}: a duration such as 10s is expected")))?,
        Some(Seconds::Text(_)) => return Err(ApiError::invalid(format!("{field}: a number of seconds is expected"))),
    };
    let fits = (0..=max).contains(&number);
    i32::try_from(number)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| ApiError::invalid(format!("{field}: a number between 0 and {max} is expected")))
}

/// A password that reads as redacted means the one of `old`.
fn authentication(
    given: Option<serde_json::Value>,
    old: Option<&serde_json::Value>,
) -> Result<Option<serde_json::Value>, ApiError> {
    let Some(mut value) = given.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty())) else {
        return Ok(None);
    };
    if value.to_string().contains("\\u0000") {
        return Err(ApiError::invalid("authentication: the NUL character is not accepted"));
    }
    if value.to_string().len() > AUTHENTICATION_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "authentication: at most {AUTHENTICATION_BYTES_MAX} bytes are accepted"
        )));
    }
    keep_redacted(&mut value, old);
    let text = |object: &str, field: &str| {
        value
            .get(object)
            .and_then(|object| object.get(field))
            .and_then(|field| field.as_str())
            .filter(|text| !text.is_empty())
    };
    let is_header = |text: &str| salvo::http::HeaderValue::from_str(text).is_ok();
    match value.get("type").and_then(|kind| kind.as_str()) {
        Some("api_key") => {
            let name = text("api_key", "header_name")
                .ok_or_else(|| ApiError::invalid("authentication.api_key.header_name: api key field is required"))?;
            let key = text("api_key", "header_value")
                .ok_or_else(|| ApiError::invalid("authentication.api_key.header_value: api key field is required"))?;
            if salvo::http::HeaderName::from_bytes(name.as_bytes()).is_err() || !is_header(key) {
                return Err(ApiError::invalid("authentication.api_key: not a valid header"));
            }
        }
        Some("basic_auth") => {
            let (user, password) = (text("basic_auth", "username"), text("basic_auth", "password"));
            if user.is_none_or(|user| user.contains(':')) || password.is_none() {
                return Err(ApiError::invalid(
                    "authentication.basic_auth: username (without colon) and password are required",
                ));
            }
        }
        Some("oauth2") => {
            let settings = value.get("oauth2").unwrap_or(&serde_json::Value::Null);
            posthouse_oauth2::Settings::read(settings)
                .map_err(|error| ApiError::invalid(format!("authentication.oauth2.{error}")))?;
        }
        _ => return Err(ApiError::invalid("authentication.type: one of api_key, basic_auth, oauth2 is expected")),
    }
    Ok(Some(value))
}

/// What reads as redacted means what is stored; a token's secrets only where they go to the same URL as before.
fn keep_redacted(new: &mut serde_json::Value, old: Option<&serde_json::Value>) {
    let Some(old) = old else { return };
    let is_same_url = new.pointer("/oauth2/url") == old.pointer("/oauth2/url");
    let places = CREDENTIALS.into_iter().chain([KEY_OF_PORTALS]);
    for place in places.filter(|place| is_same_url || !place.starts_with("/oauth2")) {
        if let (Some(new), Some(old)) = (new.pointer_mut(place), old.pointer(place))
            && new == REDACTED
        {
            *new = old.clone();
        }
    }
}

fn email(text: String) -> Result<String, ApiError> {
    if is_address(&text) { Ok(text) } else { Err(ApiError::invalid("support_email: please provide a valid email")) }
}

/// Whether this may be the address of a mailbox, or is empty.
pub fn is_address(text: &str) -> bool {
    let is_address = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') || host_is_local(text, user));
    text.is_empty()
        || (is_address
            && text.len() <= 254
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ','))
}

/// `user@localhost` is an address on a machine of one's own.
fn host_is_local(text: &str, user: &str) -> bool {
    !user.is_empty() && text.ends_with("@localhost")
}

/// A secret as it was given, or a new random one.
///
/// # Errors
/// 400 when it is too long, holds NUL, or begins as a private key and is none; and for a kind that does not exist.
pub fn secret(given: Option<String>, kind: Option<&str>) -> Result<String, ApiError> {
    let make: fn() -> String = match kind.unwrap_or_default() {
        "" | "hmac" => random_secret,
        "ed25519" => new_ed25519_secret,
        _ => return Err(ApiError::invalid("secret_type: one of hmac, ed25519 is expected")),
    };
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(make()) };
    bounded("secret", &text)?;
    Key::parse(&text).map_err(|error| ApiError::invalid(format!("secret: {error}")))?;
    Ok(text)
}

/// Attempts after which a line may go on.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 1..=100;

/// What becomes of a failing line, as it was given or, where nothing is said, as it was.
fn ordering(
    given: Option<serde_json::Value>,
    old: Option<&serde_json::Value>,
) -> Result<Option<serde_json::Value>, ApiError> {
    let Some(given) = given.filter(|value| !value.is_null()) else { return Ok(old.cloned()) };
    let ordering: Ordering = serde_json::from_value(given).map_err(|error| {
        let expected = "an object with failing_head (block, skip or park) and attempts is expected";
        ApiError::invalid(format!("ordering: {expected}: {error}"))
    })?;
    if ordering.failing_head != FailingHead::Block && !ATTEMPTS.contains(&ordering.attempts) {
        let (least, most) = (ATTEMPTS.start(), ATTEMPTS.end());
        return Err(ApiError::invalid(format!("ordering.attempts: a number between {least} and {most} is expected")));
    }
    Ok(serde_json::to_value(ordering).ok())
}
