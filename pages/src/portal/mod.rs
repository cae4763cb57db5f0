//! The pages of the customer portal: what the holder of a portal link sees, in the reader's language and the project's
//! colours. As with the dashboard, plain values go in and HTML comes out.

pub mod catalogue;
pub mod code;
pub mod colour;
pub mod deliveries;
pub mod delivery;
pub mod endpoint;
pub mod endpoint_form;
pub mod endpoints;
pub mod events;
pub mod field;
pub mod frame;
pub mod moment;
pub mod notice;
pub mod pager;
pub mod retry;
pub mod state;
pub mod strings;
pub mod subscription;

#[cfg(test)]
mod tests;
