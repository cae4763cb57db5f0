//! Reads the settings of a broker. What is wrong is said with the field's name and never with its value, which may be a
//! password.

use std::{ops::RangeInclusive, time::Duration};

use serde_json::{Map, Value};

/// Longest text in the settings, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Longest PEM or credentials file, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with the settings of a source, for its owner. Names fields, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(crate) String);

/// An object of the settings; absent fields and `null` are the same.
pub(crate) struct Fields<'a> {
    path: String,
    values: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The settings of the broker of this kind: `{"type": kind, kind: {…}}`.
    pub(crate) fn of(pub_sub: &'a Value, kind: &str) -> Result<Self, SettingsError> {
        let path = format!("pub_sub.{kind}");
        match pub_sub.get(kind) {
            None | Some(Value::Null) => Err(SettingsError(format!("{path} is missing"))),
            Some(Value::Object(values)) => Ok(Self { path, values }),
            Some(_) => Err(SettingsError(format!("{path} must be an object"))),
        }
    }

    /// An object inside this one.
    pub(crate) fn object(&self, field: &str) -> Result<Option<Self>, SettingsError> {
        match self.values.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Self { path: format!("{}.{field}", self.path), values })),
            Some(_) => Err(self.wrong(field, "must be an object")),
        }
    }

    /// A text; empty counts as absent.
    pub(crate) fn text(&self, field: &str) -> Result<Option<String>, SettingsError> {
        self.bounded(field, TEXT_BYTES_MAX)
    }

    /// A text that must be there.
    pub(crate) fn required(&self, field: &str) -> Result<String, SettingsError> {
        self.text(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// The text of a file: certificates or credentials.
    pub(crate) fn file(&self, field: &str) -> Result<Option<String>, SettingsError> {
        self.bounded(field, FILE_BYTES_MAX)
    }

    /// The name or address of a host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self, field: &str) -> Result<String, SettingsError> {
        let host = self.required(field)?;
        if host.chars().any(|char| char.is_whitespace() || char == '/') {
            return Err(self.wrong(field, "must be a name or an address"));
        }
        Ok(host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }

    /// A port, as a number or as text.
    pub(crate) fn port(&self, default: u16) -> Result<u16, SettingsError> {
        let port = match self.values.get("port") {
            None | Some(Value::Null) => Some(default),
            Some(Value::String(text)) if text.is_empty() => Some(default),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64().and_then(|port| u16::try_from(port).ok()),
        };
        port.filter(|port| *port != 0).ok_or_else(|| self.wrong("port", "must be 1 to 65535"))
    }

    /// A whole number.
    pub(crate) fn number(&self, field: &str, range: RangeInclusive<u16>, default: u16) -> Result<u16, SettingsError> {
        let number = match self.values.get(field) {
            None | Some(Value::Null) => return Ok(default),
            Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
        };
        let fault = || self.wrong(field, &format!("must be {} to {}", range.start(), range.end()));
        number.filter(|number| range.contains(number)).ok_or_else(fault)
    }

    /// After how long without an answer a message is given to another consumer; 30 s unless given.
    pub(crate) fn redeliver_after(&self) -> Result<Duration, SettingsError> {
        Ok(Duration::from_secs(self.number("redeliver_after_seconds", 2..=3_600, 30)?.into()))
    }

    /// True or false.
    pub(crate) fn flag(&self, field: &str) -> Result<bool, SettingsError> {
        match self.values.get(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(field, "must be true or false")),
        }
    }

    /// A list of texts, none of them empty.
    pub(crate) fn texts(&self, field: &str) -> Result<Vec<String>, SettingsError> {
        let fault = || self.wrong(field, "must be a list of texts");
        let values = match self.values.get(field) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(value) => value.as_array().ok_or_else(fault)?,
        };
        let text = |value: &Value| {
            value.as_str().filter(|text| is_text(text, TEXT_BYTES_MAX) && !text.is_empty()).map(str::to_owned)
        };
        values.iter().map(|value| text(value).ok_or_else(fault)).collect()
    }

    /// An error about one of these fields.
    pub(crate) fn wrong(&self, field: &str, what: &str) -> SettingsError {
        SettingsError(format!("{}.{field} {what}", self.path))
    }

    fn bounded(&self, field: &str, bytes_max: usize) -> Result<Option<String>, SettingsError> {
        match self.values.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_text(text, bytes_max) => Ok((!text.is_empty()).then(|| text.clone())),
            Some(Value::String(_)) => Err(self.wrong(field, "is too long or holds a NUL")),
            Some(_) => Err(self.wrong(field, "must be a text")),
        }
    }
}

/// Where a source begins whose broker keeps messages from before the source was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the first message that the broker has.
    First,
    /// At the first message after the source was made.
    New,
}

impl Start {
    /// Reads `start`; the first message unless given.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, SettingsError> {
        match fields.text("start")?.as_deref() {
            None | Some("first") => Ok(Self::First),
            Some("new") => Ok(Self::New),
            Some(_) => Err(fields.wrong("start", "must be first or new")),
        }
    }
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.contains('\0')
}
