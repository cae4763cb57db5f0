//! What is at the bottom of an error: client libraries say only in general words what they failed at.

use std::error::Error;

/// The words of the innermost cause.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
