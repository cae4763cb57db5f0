//! The dashboard's pages: what is shown goes in as plain values, HTML comes out. No I/O and no clock, so that each page can
//! be tested as a function. Everything that is inserted is escaped by maud; what is trusted is written here.

pub mod account;
pub mod assets;
pub mod badge;
pub mod batches;
pub mod chart;
pub mod code;
pub mod deliveries;
pub mod delivery;
pub mod door;
pub mod endpoint;
pub mod endpoint_form;
pub mod endpoints;
pub mod event;
pub mod events;
pub mod first_run;
pub mod form;
pub mod frame;
pub mod icon;
pub mod json_text;
pub mod link;
pub mod meta_events;
pub mod moment;
pub mod notice;
pub mod organisation;
pub mod overview;
pub mod pager;
pub mod projects;
pub mod rejected;
pub mod settings;
pub mod sign_in;
pub mod source;
pub mod sources;
pub mod subscription;
pub mod subscriptions;
pub mod test_receiver;
pub mod waterfall;

#[cfg(test)]
mod tests;

pub use maud::Markup;
