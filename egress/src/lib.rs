//! Egress: the rules that say where a webhook may go, and the proxy that enforces them.
//!
//! `rules` does no I/O; workers that send directly and the API use it as it is. `policy` gives clients their rules. `proxy`
//! connects only to addresses that the rules have judged, and never hands a name to a second resolver. `audit` asks a
//! running proxy for what it must refuse.

pub mod audit;
pub mod config;
pub mod policy;
pub mod proxy;
pub mod rules;

pub use rules::{AddressRule, Code, Denial, Host, HostRule, Rules, Target};
