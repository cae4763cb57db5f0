//! `/healthz`, `/readyz` and `/metrics` of a role: alive, able to work, and how much it does.

mod checks;
mod listener;

pub use self::{
    checks::{Checks, Readiness},
    listener::serve,
};
