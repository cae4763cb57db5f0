//! Filters on events: what a subscription asks of an event's body, headers, query and path. A filter is compiled once, which
//! is where everything that is wrong with it is found, and then evaluated against any event without panics and within a
//! bound on the work. Nothing here reads, writes or waits; docs/filters.md describes the language.

mod condition;
mod effort;
mod error;
mod filter;
mod flatten;
mod index;
mod number;
mod path;
#[cfg(test)]
mod reference_tests;
mod required;
mod scopes;

pub use self::{
    error::{EvaluationError, FilterError, Reason},
    filter::Filter,
    index::Index,
    required::Requirement,
    scopes::{Scope, Scopes},
};
