//! JavaScript functions of subscriptions and sources: `transform(payload)` turns one JSON value into another. Each run has
//! an engine of its own, so nothing is left of it for the next one, and limits on time, memory, stack, output and console.
//! A function reaches no file, no network, no process and no other run; docs/functions.md describes what it may do.

mod console;
mod error;
mod limits;
mod pool;
mod run;
mod threads;
mod turns;

pub use self::{
    error::TransformError,
    limits::{FUNCTION_BYTES_MAX, Limits},
    pool::Transformer,
    run::{Transformed, run},
};
