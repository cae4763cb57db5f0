//! Why a filter cannot be used, and why one could not be evaluated.

use crate::scopes::Scope;

/// A filter that is not one. The text is for whoever wrote it and names the scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{scope}: {reason}")]
pub struct FilterError {
    /// Where.
    pub scope: Scope,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a scope of a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Conditions are an object of keys.
    #[error("an object is expected")]
    NotAnObject,
    /// A word that begins like an operator and is none.
    #[error("{0} starts with a $ and is not a valid operator")]
    UnknownOperator(String),
    /// `$or` or `$and` of something else.
    #[error("the value of $or and $and must be an array")]
    GroupNotAnArray,
    /// `$or` or `$and` of something that is no filter.
    #[error("the items of $or and $and must be objects")]
    GroupItem,
    /// `$or` or `$and` below a key.
    #[error("{0}: $or and $and stand at the top of a filter or inside each other, not below a key")]
    GroupBelowKey(String),
    /// An operator that compares, without a key to compare.
    #[error("{0} stands below the key that it is about")]
    NoKey(String),
    /// An operator cannot work with its value.
    #[error("{key}: the value of {operator} must be {expected}")]
    Operand {
        /// The key that it is about.
        key: String,
        /// The operator.
        operator: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A regular expression that is none, or a very large one.
    #[error("{key}: the regular expression cannot be used: {cause}")]
    Regex {
        /// The key that it is about.
        key: String,
        /// Why.
        cause: String,
    },
    /// An array whose first element is an object and another is not.
    #[error("{0}: an array that begins with an object must hold objects alone")]
    MixedArray(String),
    /// Two spellings of one dotted key.
    #[error("{0}: the key is given twice")]
    Repeated(String),
    /// More than three `$` in a key.
    #[error("too many segments, expected at most 3 but got {0}")]
    TooManyWildcards(usize),
    /// A key that ends with `$`.
    #[error("invalid filter syntax, found trailing $")]
    TrailingWildcard,
    /// `$` as a part of a key outside the body.
    #[error("{0}: $ stands for the elements of an array, which only a body has")]
    WildcardOutsideBody(String),
    /// Beyond a limit.
    #[error("at most {max} {what} are accepted")]
    TooMany {
        /// The limit.
        max: usize,
        /// Of what.
        what: &'static str,
    },
}

/// A filter that could not be evaluated against an event, so that it does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The event is too large for what the filter asks.
    #[error("the filter needs too much work on this event")]
    TooMuchWork,
}
