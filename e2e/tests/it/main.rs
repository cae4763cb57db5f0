//! Whole systems under test: real roles as processes, on services of their own, killed and cut off in the middle of work.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

mod browser;
mod chaos;
mod collector;
mod demo;
mod emptied;
mod encrypted;
mod exits;
mod node;
mod outages;
mod partition;
mod python;
mod refusals;
mod rolling;
mod schedulers;
mod start;
mod traces;
mod world;
