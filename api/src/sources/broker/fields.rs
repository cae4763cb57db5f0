//! Checks the fields of a broker's settings. The messages name the field and never its value, which may be a password.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Bytes of a text.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;
/// Bytes of certificates and credentials.
const FILE_BYTES_MAX: usize = 65_536;

/// An object of the settings; absent fields and `null` are the same.
pub(super) struct Fields<'a> {
    path: String,
    values: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The settings of one broker.
    pub(super) fn of(settings: &'a Value, path: &str) -> Result<Self, ApiError> {
        let fault = || ApiError::invalid(format!("{path}: the broker's settings are expected"));
        Ok(Self { path: path.to_owned(), values: settings.as_object().ok_or_else(fault)? })
    }

    /// An object inside this one.
    pub(super) fn object(&self, field: &str, what: &str) -> Result<Option<Self>, ApiError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Self { path: format!("{}.{field}", self.path), values })),
            Some(_) => Err(self.wrong(field, what)),
        }
    }

    /// A text that may be absent, and then is empty.
    pub(super) fn text(&self, field: &str) -> Result<&'a str, ApiError> {
        self.bounded(field, TEXT_BYTES_MAX)
    }

    /// A text that must be there; `what` says what it is.
    pub(super) fn required(&self, field: &str, what: &str) -> Result<&'a str, ApiError> {
        match self.text(field)? {
            "" => Err(self.wrong(field, &format!("{what} is required"))),
            text => Ok(text),
        }
    }

    /// Certificates or credentials.
    pub(super) fn file(&self, field: &str) -> Result<&'a str, ApiError> {
        self.bounded(field, FILE_BYTES_MAX)
    }

    /// Several texts that may be absent.
    pub(super) fn texts<const N: usize>(&self, fields: [&str; N]) -> Result<(), ApiError> {
        fields.into_iter().try_for_each(|field| self.text(field).map(drop))
    }

    /// A name or an address without a scheme, and a port.
    pub(super) fn place(&self) -> Result<(), ApiError> {
        let host = self.required("host", "the broker's name or address")?;
        if host.chars().any(|char| char.is_whitespace() || char == '/') {
            return Err(self.wrong("host", "a name or an address without a scheme is expected"));
        }
        let port = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let is_port = |value: &Value| value == "" || port(value).is_some_and(|port| (1..=65_535).contains(&port));
        if self.value("port").is_none_or(is_port) {
            Ok(())
        } else {
            Err(self.wrong("port", "a number between 1 and 65535 is expected"))
        }
    }

    /// A whole number that may be absent.
    pub(super) fn number(&self, field: &str, range: RangeInclusive<u64>) -> Result<(), ApiError> {
        if self.value(field).is_none_or(|value| value.as_u64().is_some_and(|number| range.contains(&number))) {
            Ok(())
        } else {
            let (least, most) = range.into_inner();
            Err(self.wrong(field, &format!("a number between {least} and {most} is expected")))
        }
    }

    /// True or false, or absent.
    pub(super) fn flag(&self, field: &str) -> Result<(), ApiError> {
        if self.value(field).is_none_or(Value::is_boolean) {
            Ok(())
        } else {
            Err(self.wrong(field, "true or false is expected"))
        }
    }

    /// One of these words, or absent.
    pub(super) fn word<const N: usize>(&self, field: &str, words: [&str; N]) -> Result<(), ApiError> {
        let text = self.text(field)?;
        if text.is_empty() || words.contains(&text) {
            Ok(())
        } else {
            Err(self.wrong(field, &format!("{} is expected", words.join(" or "))))
        }
    }

    /// What encrypted connections and consumers that outlive their instance have in common.
    pub(super) fn encryption(&self) -> Result<(), ApiError> {
        self.flag("tls")?;
        self.file("ca_certificate").map(drop)
    }

    /// Where a consumer begins, and when its messages are given to another.
    pub(super) fn consumption(&self) -> Result<(), ApiError> {
        self.word("start", ["first", "new"])?;
        self.number("redeliver_after_seconds", 2..=3_600)
    }

    /// The field's value, unless it is absent.
    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        self.values.get(field).filter(|value| !value.is_null())
    }

    /// A refusal of one of these fields.
    pub(super) fn wrong(&self, field: &str, what: &str) -> ApiError {
        ApiError::invalid(format!("{}.{field}: {what}", self.path))
    }

    fn bounded(&self, field: &str, bytes_max: usize) -> Result<&'a str, ApiError> {
        match self.value(field) {
            None => Ok(""),
            Some(Value::String(text)) if text.len() <= bytes_max && !text.contains('\0') => Ok(text),
            Some(_) => Err(self.wrong(field, &format!("a text of at most {bytes_max} bytes is expected"))),
        }
    }
}
