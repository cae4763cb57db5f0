//! Whose a rule is: a decision names it, so that nobody looks for a project's rule among those of all.

use std::fmt;

/// Whose a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everybody's.
    #[default]
    All,
    /// The client's role's.
    Role,
    /// The project's for which the client asks.
    Project,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "",
            Self::Role => " of the role",
            Self::Project => " of the project",
        })
    }
}
