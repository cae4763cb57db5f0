//! What must hold of whatever a stranger writes to the egress proxy. Each function takes a fuzzer's bytes and panics when it
//! does not hold.

mod authority;
mod head;

pub use self::{authority::authority, head::head};
