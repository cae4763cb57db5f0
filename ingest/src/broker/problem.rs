//! What is wrong with a connection: at which step it failed, and why, in words for the source's owner and without secrets.

/// The steps by which a source comes to its messages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the source's settings.
    Settings,
    /// Finding the broker's address by its name.
    Resolve,
    /// Connecting to its port.
    Connect,
    /// Agreeing on encryption and checking its certificate.
    Encrypt,
    /// Speaking its protocol and signing in.
    SignIn,
    /// Finding what is to be read, and whether this user may.
    Open,
}

impl Step {
    /// The word for it in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Encrypt => "encrypt",
            Self::SignIn => "sign_in",
            Self::Open => "open",
        }
    }
}

/// Why a source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Problem {
    /// Where it ended.
    pub step: Step,
    /// Why.
    pub reason: String,
}

impl Problem {
    /// At this step, for this reason.
    pub fn at(step: Step, reason: impl Into<String>) -> Self {
        Self { step, reason: reason.into() }
    }
}
