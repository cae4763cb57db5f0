//! What workers and the scheduler do: job handlers, the delivery engine, and the periodic jobs.

pub mod backup;
pub mod batch;
pub mod config;
pub mod context;
pub mod delivery;
pub mod error;
pub mod handlers;
pub mod house;
pub mod instance;
pub mod mail;
pub mod meta_event;
pub mod notice;
pub mod run;
pub mod scheduler;
