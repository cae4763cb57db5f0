//! An endpoint to deliver to: it behaves as its path says, verifies signatures, and remembers every request, so that
//! what arrived can be compared with what was sent.

mod admin;
mod behaviour;
mod ledger;
mod serve;
mod signature;

pub use ledger::{Ledger, Received, Summary};
pub use serve::{Receiver, Secrets};
pub use signature::Verdict;
