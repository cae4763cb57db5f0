//! How a command ends. Codes are what scripts see: 0 is as asked, 1 failed, 2 was asked wrongly, and the two below.

/// Done, and not all is as it should be: migrations are pending, or not every delivery succeeded.
pub const NOT_ALL: u8 = 3;
/// The time to wait is over, and what was waited for has not come.
pub const TIMED_OUT: u8 = 4;
/// Asked wrongly, as clap ends too.
pub const WRONG_USE: u8 = 2;

/// A command that was asked wrongly, found out after its arguments were read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(String);

impl WrongUse {
    /// With what is wrong, in words.
    pub fn because(text: impl Into<String>) -> anyhow::Error {
        Self(text.into()).into()
    }
}
