//! The REST API as the tool's commands call it.

mod access;
mod client;
pub mod delivery;
pub mod profile;
mod redact;
pub mod window;

pub use self::{
    access::Access,
    client::{CallError, Client, Query, below, http, text},
    redact::without_secrets,
};
