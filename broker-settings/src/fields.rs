//! Reads the fields of a broker's settings. What is wrong is said with the field's name and never with its value, which may
//! be a password.

use std::{ops::RangeInclusive, time::Duration};

use serde_json::{Map, Value};

/// Longest text in the settings, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Longest PEM or credentials file, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with the settings of a source, for its owner: `pub_sub.<kind>.<field>: <what is expected>`. Names fields,
/// never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl SettingsError {
    /// An error about the setting at this path.
    #[must_use]
    pub fn new(path: &str, what: &str) -> Self {
        Self(format!("{path}: {what}"))
    }
}

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
            None | Some(Value::Null) => Err(SettingsError::new(&path, "the broker's settings are required")),
            Some(Value::Object(values)) => Ok(Self { path, values }),
            Some(_) => Err(SettingsError::new(&path, "the broker's settings are expected")),
        }
    }

    /// An object inside this one; `what` says what it holds.
    pub(crate) fn object(&self, field: &str, what: &str) -> Result<Option<Self>, SettingsError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Self { path: format!("{}.{field}", self.path), values })),
            Some(_) => Err(self.wrong(field, what)),
        }
    }

    /// A text; empty counts as absent.
    pub(crate) fn text(&self, field: &str) -> Result<Option<String>, SettingsError> {
        self.bounded(field, TEXT_BYTES_MAX)
    }

    /// A text that must be there; `what` says what it is.
    pub(crate) fn required(&self, field: &str, what: &str) -> Result<String, SettingsError> {
        self.text(field)?.ok_or_else(|| self.wrong(field, &format!("{what} is required")))
    }

    /// The text of a file: certificates or credentials.
    pub(crate) fn file(&self, field: &str) -> Result<Option<String>, SettingsError> {
        self.bounded(field, FILE_BYTES_MAX)
    }

    /// The name or address of a host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> Result<String, SettingsError> {
        let host = self.required("host", "the broker's name or address")?;
        if host.chars().any(|char| char.is_whitespace() || char == '/') {
            return Err(self.wrong("host", "a name or an address without a scheme is expected"));
        }
        Ok(host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }

    /// A port, as a number or as text.
    pub(crate) fn port(&self, default: u16) -> Result<u16, SettingsError> {
        let port = match self.value("port") {
            None => Some(default),
            Some(Value::String(text)) if text.is_empty() => Some(default),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64().and_then(|port| u16::try_from(port).ok()),
        };
        port.filter(|port| *port != 0).ok_or_else(|| self.wrong("port", "a number between 1 and 65535 is expected"))
    }

    /// A whole number.
    pub(crate) fn number(&self, field: &str, range: RangeInclusive<u16>, default: u16) -> Result<u16, SettingsError> {
        let number = match self.value(field) {
            None => return Ok(default),
            Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
        };
        let what = || format!("a number between {} and {} is expected", range.start(), range.end());
        number.filter(|number| range.contains(number)).ok_or_else(|| self.wrong(field, &what()))
    }

    /// After how long without an answer a message is given to another consumer; 30 s unless given.
    pub(crate) fn redeliver_after(&self, range: RangeInclusive<u16>) -> Result<Duration, SettingsError> {
        Ok(Duration::from_secs(self.number("redeliver_after_seconds", range, 30)?.into()))
    }

    /// True or false.
    pub(crate) fn flag(&self, field: &str) -> Result<bool, SettingsError> {
        match self.value(field) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(field, "true or false is expected")),
        }
    }

    /// One of these words; empty counts as absent.
    pub(crate) fn word<const N: usize>(&self, field: &str, words: [&str; N]) -> Result<Option<String>, SettingsError> {
        match self.text(field)? {
            Some(word) if !words.contains(&word.as_str()) => {
                Err(self.wrong(field, &format!("{} is expected", words.join(" or "))))
            }
            word => Ok(word),
        }
    }

    /// A list of texts, none of them empty; `what` says what is expected.
    pub(crate) fn texts(&self, field: &str, what: &str) -> Result<Vec<String>, SettingsError> {
        let fault = || self.wrong(field, what);
        let values = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(value) => value.as_array().ok_or_else(fault)?,
        };
        let text = |value: &Value| {
            value.as_str().filter(|text| is_text(text, TEXT_BYTES_MAX) && !text.is_empty()).map(str::to_owned)
        };
        values.iter().map(|value| text(value).ok_or_else(fault)).collect()
    }

    /// An error about one of these fields.
    pub(crate) fn wrong(&self, field: &str, what: &str) -> SettingsError {
        SettingsError::new(&format!("{}.{field}", self.path), what)
    }

    /// The field's value, unless it is absent.
    pub(crate) fn value(&self, field: &str) -> Option<&'a Value> {
        self.values.get(field).filter(|value| !value.is_null())
    }

    fn bounded(&self, field: &str, bytes_max: usize) -> Result<Option<String>, SettingsError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) if is_text(text, bytes_max) => Ok((!text.is_empty()).then(|| text.clone())),
            Some(_) => Err(self.wrong(field, &format!("a text of at most {bytes_max} bytes is expected"))),
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
        let start = fields.word("start", ["first", "new"])?;
        Ok(if start.as_deref() == Some("new") { Self::New } else { Self::First })
    }
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.contains('\0')
}
