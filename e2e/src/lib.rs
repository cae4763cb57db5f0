//! A whole Posthouse on one machine: its services, its roles and a receiver, started as processes of their own and
//! stopped again, however the run ends. What the demo, `just up`, `just test` and the end-to-end tests stand on.

pub mod chaos;
pub mod client;
pub mod contract;
pub mod database;
pub mod demo;
pub mod deployment;
pub mod folder;
pub mod ground;
pub mod load;
pub mod network;
pub mod operator;
pub mod partition;
pub mod ports;
pub mod process;
pub mod receiver;
pub mod role;
pub mod rolling;
pub mod sender;
pub mod services;
pub mod signals;
pub mod stage;
pub mod test_run;
