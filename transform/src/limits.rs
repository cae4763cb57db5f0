//! What one run may take.

use std::time::Duration;

/// Bytes of a function's text.
pub const FUNCTION_BYTES_MAX: usize = 64 * 1_024;

/// What one run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for everything: reading the function, running it, and writing what it returns.
    pub time: Duration,
    /// Bytes of memory of the engine with all values.
    pub memory_bytes: usize,
    /// Bytes of the engine's stack.
    pub stack_bytes: usize,
    /// Bytes of the result as JSON.
    pub output_bytes: usize,
    /// Bytes of the console; what is beyond is left out.
    pub console_bytes: usize,
    /// Lines of the console; those beyond are left out.
    pub console_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory_bytes: 64 * 1_024 * 1_024,
            stack_bytes: 512 * 1_024,
            output_bytes: 5 * 1_024 * 1_024,
            console_bytes: 16 * 1_024,
            console_lines: 100,
        }
    }
}
