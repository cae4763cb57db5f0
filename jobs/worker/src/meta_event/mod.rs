//! Meta events: what happened to a project, sent to the URL of its settings. Emitting one costs the hot path nothing where
//! a project has not asked for it, and never fails what it tells of.

pub mod announcement;
mod deliver;
pub mod new_endpoint;
mod request;

pub use deliver::deliver;
