//! One key's conditions: all its operators must hold for one of the values that the key leads to. A key that leads nowhere
//! has no value, which only `$neq`, `$nin` and `$exist: false` take.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::{
    effort::Effort,
    error::{EvaluationError, Reason},
    number::{Number, equal, same},
    path::Path,
    required::{Requirement, Scalar, Sign},
    scopes::Scope,
};

/// Bytes of a regular expression.
const PATTERN_BYTES_MAX: usize = 1_024;
/// Bytes of memory of a compiled regular expression, and of what it keeps while it searches.
const REGEX_BYTES_MAX: usize = 512 * 1_024;
/// Bytes that are searched or compared in one step.
const STEP_BYTES: usize = 32;

#[derive(Debug, Clone)]
pub(crate) struct Condition {
    path: Path,
    /// Most have no other, and then it is here, where nothing else has to be fetched.
    first: Test,
    others: Vec<Test>,
}

#[derive(Debug, Clone)]
enum Test {
    /// A value without an operator: equal, or among the elements of an array.
    Bare(Value),
    Equal(Value),
    NotEqual(Value),
    Order(Number, fn(Ordering) -> bool),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Matches(Regex),
    Exists(bool),
}

impl Condition {
    /// A flat condition: a dotted key with a value, or with an object of operators.
    pub(crate) fn compile(key: &str, condition: &Value) -> Result<Self, Reason> {
        let path = Path::parse(key)?;
        let mut operators = condition.as_object().into_iter().flatten();
        let mut next = || operators.next().map(|(operator, operand)| test(key, operator, operand)).transpose();
        // An empty object is a value.
        let first = next()?.unwrap_or_else(|| Test::Bare(condition.clone()));
        let others = std::iter::from_fn(|| next().transpose()).collect::<Result<_, _>>()?;
        Ok(Self { path, first, others })
    }

    fn tests(&self) -> impl Iterator<Item = &Test> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.path.has_wildcards()
    }

    pub(crate) fn regexes(&self) -> usize {
        self.tests().filter(|test| matches!(test, Test::Matches(_))).count()
    }

    /// What an event must have for this to hold; `None` where no operator asks for given values.
    pub(crate) fn requirement(&self, scope: Scope) -> Option<Requirement<'_>> {
        let values = self.tests().filter_map(Test::values).min_by_key(Vec::len)?;
        let signs = values.into_iter().map(|value| Sign { scope, path: &self.path, value }).collect();
        Some(Requirement { signs })
    }

    pub(crate) fn holds(&self, root: &Value, effort: &mut Effort) -> Result<bool, EvaluationError> {
        let mut is_found = false;
        let holds = self.path.any(root, effort, &mut |value, effort| {
            is_found = true;
            self.holds_for(Some(value), effort)
        })?;
        if is_found { Ok(holds) } else { self.holds_for(None, effort) }
    }

    fn holds_for(&self, value: Option<&Value>, effort: &mut Effort) -> Result<bool, EvaluationError> {
        for test in self.tests() {
            if !test.holds(value, effort)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn test(key: &str, operator: &str, operand: &Value) -> Result<Test, Reason> {
    let wrong = |operator, expected| Reason::Operand { key: key.into(), operator, expected };
    let number = |operator| Number::of(operand).ok_or_else(|| wrong(operator, "a number"));
    let list = |operator| operand.as_array().cloned().ok_or_else(|| wrong(operator, "an array"));
    match operator {
        "$eq" => Ok(Test::Equal(operand.clone())),
        "$neq" => Ok(Test::NotEqual(operand.clone())),
        "$gt" => Ok(Test::Order(number("$gt")?, Ordering::is_gt)),
        "$gte" => Ok(Test::Order(number("$gte")?, Ordering::is_ge)),
        "$lt" => Ok(Test::Order(number("$lt")?, Ordering::is_lt)),
        "$lte" => Ok(Test::Order(number("$lte")?, Ordering::is_le)),
        "$in" => Ok(Test::In(list("$in")?)),
        "$nin" => Ok(Test::NotIn(list("$nin")?)),
        "$regex" => {
            let pattern = operand.as_str().ok_or_else(|| wrong("$regex", "a text"))?;
            regex(pattern).map(Test::Matches).map_err(|cause| Reason::Regex { key: key.into(), cause })
        }
        "$exist" => operand.as_bool().map(Test::Exists).ok_or_else(|| wrong("$exist", "true or false")),
        other => Err(Reason::UnknownOperator(other.into())),
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("at most {PATTERN_BYTES_MAX} bytes are accepted"));
    }
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        // The last line says what is wrong; those before show where, over several lines.
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string()
    })
}

impl Test {
    fn holds(&self, value: Option<&Value>, effort: &mut Effort) -> Result<bool, EvaluationError> {
        effort.spend(self.weight(value))?;
        Ok(match self {
            Self::Bare(expected) => match value {
                Some(Value::Array(items)) if !expected.is_array() => items.iter().any(|item| equal(item, expected)),
                Some(value) => equal(value, expected),
                None => false,
            },
            Self::Equal(expected) => value.is_some_and(|value| equal(value, expected)),
            Self::NotEqual(refused) => !value.is_some_and(|value| equal(value, refused)),
            Self::Order(than, holds) => value.and_then(Number::of).is_some_and(|number| holds(number.compare(*than))),
            Self::In(list) => value.is_some_and(|value| list.iter().any(|item| same(item, value))),
            Self::NotIn(list) => !value.is_some_and(|value| list.iter().any(|item| same(item, value))),
            Self::Matches(regex) => value.and_then(Value::as_str).is_some_and(|text| regex.is_match(text)),
            Self::Exists(expected) => value.is_some() == *expected,
        })
    }

    /// The values of which this takes one, alone or, without an operator, in an array; `None` where it takes others as well.
    fn values(&self) -> Option<Vec<Scalar<'_>>> {
        match self {
            Self::Bare(expected) | Self::Equal(expected) => Scalar::of(expected).map(|value| vec![value]),
            Self::In(list) => Scalar::of_all(list),
            Self::NotEqual(_) | Self::Order(..) | Self::NotIn(_) | Self::Matches(_) | Self::Exists(_) => None,
        }
    }

    /// Steps that this may take for the value.
    fn weight(&self, value: Option<&Value>) -> usize {
        match (self, value) {
            (_, None) => 0,
            (Self::Bare(expected), Some(Value::Array(items))) if !expected.is_array() => {
                items.len().saturating_mul(size(expected))
            }
            (Self::Bare(operand) | Self::Equal(operand) | Self::NotEqual(operand), _) => size(operand),
            (Self::In(list) | Self::NotIn(list), _) => list.iter().map(size).sum(),
            (Self::Matches(_), Some(Value::String(text))) => text.len() / STEP_BYTES,
            (Self::Order(..) | Self::Matches(_) | Self::Exists(_), _) => 1,
        }
    }
}

/// Values and bytes that comparing with this one may have to look at.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        Value::String(text) => 1 + text.len() / STEP_BYTES,
        _ => 1,
    }
}
