//! Numbers as filters compare them: a number, or a text that is written like one. Whole numbers are compared exactly, so
//! that two long ids which differ in the last digit are two.

use std::cmp::Ordering;

use serde_json::Value;

/// Longest text that is looked at as a number, in bytes.
const TEXT_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Whole(i128),
    /// Finite.
    Real(f64),
}

impl Number {
    /// The number that a value is, or is written like.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from))
                .map(Self::Whole)
                .or_else(|| number.as_f64().map(Self::Real)),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let is_written_like_one = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        if text.len() > TEXT_BYTES_MAX || !text.bytes().all(is_written_like_one) {
            return None;
        }
        if text.bytes().all(|byte| !matches!(byte, b'.' | b'e' | b'E')) {
            return text.parse().ok().map(Self::Whole);
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Real)
    }

    const fn real(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// The same for all numbers that compare as equal.
    pub(crate) fn bits(self) -> u64 {
        // Adding zero makes of both zeros the same.
        (self.real() + 0.0).to_bits()
    }

    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(&two),
            // Both are finite, so they have an order; unlike total_cmp this one knows one zero.
            (one, two) => one.real().partial_cmp(&two.real()).unwrap_or(Ordering::Equal),
        }
    }
}

/// Whether two values are the same, where 1 is 1.0 and texts are no numbers.
pub(crate) fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(_), Value::Number(_)) => match (Number::of(one), Number::of(two)) {
            (Some(one), Some(two)) => one.compare(two) == Ordering::Equal,
            _ => false,
        },
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len() && one.iter().all(|(key, one)| two.get(key).is_some_and(|two| same(one, two)))
        }
        _ => one == two,
    }
}

/// Whether two values are equal, where a text that is written like a number is that number.
pub(crate) fn equal(one: &Value, two: &Value) -> bool {
    match (Number::of(one), Number::of(two)) {
        (Some(one), Some(two)) => one.compare(two) == Ordering::Equal,
        _ => same(one, two),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_that_are_written_like_numbers_are_numbers() {
        for (one, two, expected) in [
            (json!("10"), json!(10), true),
            (json!("10.0"), json!(10), true),
            (json!("1e3"), json!(1_000), true),
            (json!("-0"), json!(0), true),
            (json!("ten"), json!(10), false),
            (json!(" 10"), json!(10), false),
            (json!("0x10"), json!(16), false),
            (json!("inf"), json!("inf"), true),
            (json!("1e999"), json!("1e998"), false),
            (json!(true), json!(1), false),
            (json!("true"), json!(true), false),
            (json!(null), json!(0), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
            (json!("1234567890123456789"), json!("1234567890123456788"), false),
            (json!(u64::MAX), json!("18446744073709551615"), true),
            (json!([1, {"a": 2.0}]), json!([1.0, {"a": 2}]), true),
            (json!(["1"]), json!([1]), false),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
        ] {
            assert_eq!(equal(&one, &two), expected, "{one} {two}");
            assert_eq!(equal(&two, &one), expected, "{two} {one}");
        }
    }
}
