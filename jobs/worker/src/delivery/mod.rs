//! The delivery engine: who receives an event, what is sent, how it leaves, what became of it, and when it is tried again.

mod attempt;
pub mod backoff;
pub mod create;
mod direct;
pub mod engine;
pub mod filtering;
mod form;
pub mod functions;
pub mod gate;
pub mod load;
pub mod matching;
pub mod metrics;
pub mod outcome;
pub mod replay;
pub mod request;
pub mod send;
pub mod sign;
pub mod snapshot;
pub mod token;
