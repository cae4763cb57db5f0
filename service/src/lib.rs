//! What every role's process needs: settings, logs, metrics, traces, probes, shutdown. It knows nothing of events or jobs.

pub mod logs;
pub mod metrics;
pub mod probes;
pub mod settings;
pub mod shutdown;
pub mod start;
pub mod traces;
