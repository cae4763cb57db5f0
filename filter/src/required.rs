//! What an event must have for a filter to match: some value at some key. It is never more than the filter asks, so an
//! event without it is not matched; that it has it says nothing yet.

use serde_json::Value;

use crate::{number::Number, path::Path, scopes::Scope};

/// Bytes of a text that is a sign.
const TEXT_BYTES_MAX: usize = 256;
/// Signs of one filter, in all its requirements.
const SIGNS_MAX: usize = 64;

/// Signs of which every event that a filter matches has one.
#[derive(Debug, Clone, Default)]
pub struct Requirement<'f> {
    pub(crate) signs: Vec<Sign<'f>>,
}

/// A value that a key leads to, or that is an element of an array that it leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sign<'f> {
    pub(crate) scope: Scope,
    pub(crate) path: &'f Path,
    pub(crate) value: Scalar<'f>,
}

/// A value without others in it. Two values that a filter takes for equal are the same scalar; the reverse need not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scalar<'v> {
    Null,
    Bool(bool),
    /// The bits of the number as a float: whole numbers are compared exactly, but with others as floats.
    Number(u64),
    Text(&'v str),
}

impl<'v> Scalar<'v> {
    /// What the value is; `None` for objects, arrays and long texts.
    pub(crate) fn of(value: &'v Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(is_true) => Some(Self::Bool(*is_true)),
            Value::Number(_) => Number::of(value).map(|number| Self::Number(number.bits())),
            Value::String(text) => match Number::of(value) {
                Some(number) => Some(Self::Number(number.bits())),
                None => (text.len() <= TEXT_BYTES_MAX).then_some(Self::Text(text)),
            },
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// What each of the values is, where all are scalars and not too many.
    pub(crate) fn of_all(values: &'v [Value]) -> Option<Vec<Self>> {
        if values.len() > SIGNS_MAX { None } else { values.iter().map(Self::of).collect() }
    }
}

/// Those of the requirements that are small, each of which holds by itself.
pub(crate) fn bounded(requirements: Vec<Requirement<'_>>) -> Vec<Requirement<'_>> {
    let mut left = SIGNS_MAX;
    let mut kept = requirements;
    kept.retain(|requirement| match left.checked_sub(requirement.signs.len()) {
        Some(less) => {
            left = less;
            true
        }
        None => false,
    });
    kept
}

/// The requirement of alternatives, of which each has these; `None` where one of them asks for nothing that is known.
pub(crate) fn of_any<'f>(alternatives: impl Iterator<Item = Vec<Requirement<'f>>>) -> Option<Requirement<'f>> {
    let mut signs = Vec::new();
    for alternative in alternatives {
        let smallest = alternative.into_iter().min_by_key(|requirement| requirement.signs.len())?;
        signs.extend(smallest.signs);
    }
    Some(Requirement { signs })
}
