//! One file per job: what a worker does with it. A handler may run twice, or after its row is gone; both end well.

mod back_up;
mod create_event;
mod deliver_event;
mod deliver_meta_event;
mod index_events;
mod keep_house;
mod notify;
mod onboard_batch;
mod purge_expired;
mod replay_event;
mod reported;
mod run_batch;
mod send_email;
mod store_rejected_message;
mod sweep_deliveries;

pub use self::{
    back_up::back_up, create_event::create_event, deliver_event::deliver_event, deliver_meta_event::deliver_meta_event,
    index_events::index_events, keep_house::keep_house, notify::notify, notify::send_chat_message,
    notify::send_digests, onboard_batch::onboard_batch, purge_expired::purge_expired, replay_event::replay_event,
    run_batch::run_batch, send_email::send_email, store_rejected_message::store_rejected_message,
    sweep_deliveries::sweep_deliveries,
};
