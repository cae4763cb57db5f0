//! The delivery engine: who receives an event, what is sent, how it leaves, what became of it, and when it is tried again.

mod admission;
mod attempt;
pub mod backoff;
mod breakers;
pub mod clients;
pub mod connector;
pub mod course;
pub mod create;
mod decision;
pub mod engine;
mod failure;
pub mod filtering;
mod form;
pub mod functions;
pub mod gate;
pub mod health;
mod lines;
mod load;
mod log;
pub mod matching;
pub mod metrics;
pub mod outcome;
mod prepared;
pub mod redirect;
pub mod replay;
pub mod request;
pub mod routes;
pub mod send;
pub mod sign;
#[cfg(test)]
mod simulation_tests;
pub mod snapshot;
pub mod spans;
pub mod token;
mod userinfo;
