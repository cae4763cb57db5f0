//! What the answer to a token request says.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::Settings;

/// No token is used for longer, whatever its answer says.
const LIFE_MAX: TimeDelta = TimeDelta::hours(1);
const REASON_CHARS_MAX: usize = 200;

/// A token to send as `Authorization: <type> <token>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token itself.
    pub access_token: String,
    /// Mostly `Bearer`.
    pub token_type: String,
    /// When another one is needed.
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why an answer holds no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not 2xx.
    #[error("the token endpoint answered {status}{reason}")]
    Refused {
        /// The status code.
        status: u16,
        /// The `error` of RFC 6749 section 5.2 where it gave one, after a colon.
        reason: String,
    },
    /// Not a JSON object.
    #[error("the answer is not a JSON object")]
    NotJson,
    /// The field of the token.
    #[error("access token field '{0}' is missing or empty in response")]
    NoToken(String),
    /// A token or a type that no header can carry.
    #[error("the token cannot be sent in a header")]
    Unusable,
}

impl Settings {
    /// Reads the answer that came at `now`.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn answer(&self, status: u16, body: &[u8], now: DateTime<Utc>) -> Result<Token, AnswerError> {
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        if !(200..300).contains(&status) {
            return Err(AnswerError::Refused { status, reason: parsed.as_ref().map(reason).unwrap_or_default() });
        }
        let fields = parsed.filter(Value::is_object).ok_or(AnswerError::NotJson)?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let name = &self.fields.access_token;
        let access_token = text(name).ok_or_else(|| AnswerError::NoToken(name.clone()))?.to_string();
        let token_type = text(&self.fields.token_type).unwrap_or("Bearer").to_string();
        // RFC 6750 writes it so, and some receivers compare it as it is.
        let token_type = if token_type.eq_ignore_ascii_case("bearer") { "Bearer".into() } else { token_type };
        let is_sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_sound(&access_token) || !is_sound(&token_type) {
            return Err(AnswerError::Unusable);
        }
        let life = fields.get(&self.fields.expires_in).and_then(number).map_or(LIFE_MAX, |number| self.life(number));
        Ok(Token { access_token, token_type, expires_at: now + life })
    }

    fn life(&self, number: i64) -> TimeDelta {
        let millis = number.max(0).saturating_mul(self.expiry_unit_ms);
        TimeDelta::try_milliseconds(millis).unwrap_or(LIFE_MAX).min(LIFE_MAX)
    }
}

/// A whole number, also as a text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

fn reason(answer: &Value) -> String {
    let word = answer.get("error").and_then(Value::as_str).unwrap_or_default();
    let shown: String = word.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    if shown.is_empty() { shown } else { format!(": {shown}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn settings(extra: Value) -> Settings {
        let mut value = json!({"url": "https://a.example", "client_id": "c", "authentication_type": "shared_secret", "client_secret": "s"});
        for (key, field) in extra.as_object().unwrap() {
            value[key] = field.clone();
        }
        Settings::read(&value).unwrap()
    }

    #[test]
    fn a_token_is_read_by_the_names_that_are_set() {
        let now = Utc::now();
        let plain = settings(json!({}));
        let token = plain.answer(200, br#"{"access_token":"t","token_type":"bearer","expires_in":60}"#, now).unwrap();
        assert_eq!((token.access_token.as_str(), token.token_type.as_str()), ("t", "Bearer"));
        assert_eq!(token.expires_at, now + TimeDelta::seconds(60));
        for (body, life) in [
            (r#"{"access_token":"t"}"#, LIFE_MAX),
            (r#"{"access_token":"t","expires_in":"90"}"#, TimeDelta::seconds(90)),
            (r#"{"access_token":"t","expires_in":99999999999999999}"#, LIFE_MAX),
            (r#"{"access_token":"t","expires_in":-5}"#, TimeDelta::zero()),
        ] {
            assert_eq!(plain.answer(200, body.as_bytes(), now).unwrap().expires_at, now + life, "{body}");
        }
        let mapped = settings(
            json!({"field_mapping": {"access_token": "jwt", "expires_in": "ttl"}, "expiry_time_unit": "minutes"}),
        );
        let token = mapped.answer(201, br#"{"jwt":"t","ttl":2}"#, now).unwrap();
        assert_eq!(token.expires_at, now + TimeDelta::minutes(2));
        assert!(!format!("{token:?}").contains("\"t\""));
    }

    #[test]
    fn an_answer_without_a_token_says_why() {
        let plain = settings(json!({}));
        for (status, body, text) in [
            (401, r#"{"error":"invalid_client"}"#, "the token endpoint answered 401: invalid_client"),
            (500, "oops", "the token endpoint answered 500"),
            (200, "oops", "the answer is not a JSON object"),
            (200, "[]", "the answer is not a JSON object"),
            (200, "{}", "access token field 'access_token' is missing or empty in response"),
            (200, r#"{"access_token":7}"#, "access token field 'access_token' is missing or empty in response"),
            (200, "{\"access_token\":\"a\\r\\nX: 1\"}", "the token cannot be sent in a header"),
        ] {
            assert_eq!(plain.answer(status, body.as_bytes(), Utc::now()).unwrap_err().to_string(), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whatever comes back is a token or a reason.
        #[test]
        fn no_answer_makes_it_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..100), life in any::<i64>()) {
            let plain = settings(json!({"expiry_time_unit": "hours"}));
            drop(plain.answer(status, &body, Utc::now()));
            drop(plain.answer(200, format!("{{\"access_token\":\"t\",\"expires_in\":{life}}}").as_bytes(), Utc::now()));
        }
    }
}
