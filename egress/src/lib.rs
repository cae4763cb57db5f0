//! Egress: the rules that say where a webhook may go, and the proxy that enforces them.
//!
//! `rules` does no I/O; workers that send directly and the API use it as it is. `policy` gives clients their rules. `proxy`
//! connects only to addresses that the rules have judged, and never hands a name to a second resolver. `client` is the other
//! end of the wire: how workers and the API go through one of several proxies. `audit` asks a running proxy for what it must
//! refuse.

pub mod audit;
mod authorization;
pub mod client;
pub mod config;
mod follow;
pub mod policy;
pub mod proxy;
pub mod rules;
mod sources;

pub use rules::{AddressRule, Code, Denial, Host, HostRule, Rules, Target};
