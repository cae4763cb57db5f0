//! The pages of the dashboard and of the customer portal: what is shown goes in as plain values, HTML comes out. No I/O and no
//! clock, so that each page can be tested as a function. Everything that is inserted is escaped by maud; what is trusted is
//! written here.

pub mod account;
pub mod admin;
pub mod assets;
pub mod audit_log;
pub mod authentication;
pub mod badge;
pub mod batches;
pub mod chart;
pub mod code;
pub mod connection_test;
pub mod deliveries;
pub mod delivery;
pub mod door;
pub mod endpoint;
pub mod endpoint_form;
pub mod endpoints;
pub mod event;
pub mod event_types;
pub mod events;
pub mod field;
pub mod filters;
pub mod first_run;
pub mod form;
pub mod frame;
pub mod icon;
pub mod job_board;
pub mod job_queues;
pub mod json_text;
pub mod link;
pub mod meta_events;
pub mod moment;
pub mod notice;
pub mod organisation;
pub mod overview;
pub mod owner_filter;
pub mod pager;
pub mod portal;
pub mod portal_links;
pub mod portal_look;
pub mod projects;
pub mod rejected;
pub mod retries;
pub mod schedules;
pub mod settings;
pub mod settings_fields;
pub mod sign_in;
pub mod source;
pub mod source_broker;
pub mod source_form;
pub mod source_kind;
pub mod sources;
pub mod subscription;
pub mod subscriptions;
pub mod test_receiver;
pub mod values;
pub mod waterfall;

#[cfg(test)]
mod tests;

pub use maud::Markup;
