//! The holder of valid credentials.

use posthouse_schema::{
    ids::{ProjectId, UserId},
    words::Role,
};

/// The holder of valid credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A project key.
    Project {
        /// The only project it opens.
        project: ProjectId,
        /// What it may do there.
        role: Role,
    },
    /// A personal key.
    User {
        /// Whose.
        user: UserId,
    },
}
