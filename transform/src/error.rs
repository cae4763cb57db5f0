//! Why a function gave no result. The texts are for whoever wrote the function.

use std::time::Duration;

/// A run without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The script defines no `transform`.
    #[error("the transform function is not found, please define it or rename the existing function")]
    NotFound,
    /// It ran out of time.
    #[error("script execution time elapsed {} seconds", .0.as_secs_f64())]
    Time(Duration),
    /// It ran out of memory.
    #[error("the script needs more than {0} bytes of memory")]
    Memory(usize),
    /// It threw, or is no JavaScript.
    #[error("{0}")]
    Thrown(String),
    /// What it returned has no JSON, such as undefined.
    #[error("the transform function must return a value that can be written as JSON")]
    NotJson,
    /// It returned a promise.
    #[error("the transform function must return its value, not a promise")]
    Promise,
    /// The result is too large.
    #[error("the transform function may return at most {0} bytes of JSON")]
    TooLarge(usize),
    /// The function's text is too large.
    #[error("a function has at most {0} bytes")]
    FunctionTooLarge(usize),
    /// What the function is given is no JSON.
    #[error("the payload is not JSON")]
    Payload,
    /// Too many runs of one tenant wait: trying again will help.
    #[error("too many functions wait to be run, try again")]
    Crowded,
    /// The machine gave no thread, or no memory for the engine: trying again may help.
    #[error("the function could not be run: {0}")]
    Unavailable(String),
}
