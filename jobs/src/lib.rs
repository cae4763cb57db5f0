//! Typed jobs, their queues, and the apalis backend on Redis. No work is done here: a payload says what to do, a handler
//! in the worker does it.

pub mod backing;
mod create_event;
mod deliver_event;
mod deliver_meta_event;
mod housekeeping;
mod job;
mod notify;
mod onboard_batch;
pub mod queue;
mod replay_event;
mod run_batch;
mod send_chat_message;
mod send_email;
mod store_rejected_message;
mod tick;
mod trace_context;

pub use create_event::{CreateEvent, EventTarget};
pub use deliver_event::DeliverEvent;
pub use deliver_meta_event::{Announcement, DeliverMetaEvent};
pub use housekeeping::{BackUp, HouseTask, IndexEvents, KeepHouse, PurgeExpired, SendDigests, SweepDeliveries};
pub use job::Job;
pub use notify::{Failing, Notice, Notify};
pub use onboard_batch::{OnboardBatch, OnboardRow};
pub use queue::{BackendSettings, JobBackend, QueueError, Queues, Reschedule};
pub use replay_event::ReplayEvent;
pub use run_batch::RunBatch;
pub use send_chat_message::{ChatService, SendChatMessage};
pub use send_email::SendEmail;
pub use store_rejected_message::StoreRejectedMessage;
pub use tick::Tick;
pub use trace_context::{STORED_PARENT, STORED_STATE, TraceContext};

/// The name of every queue of the product, in the order in which operators see them.
pub const QUEUES: [&str; 16] = [
    CreateEvent::QUEUE,
    DeliverEvent::QUEUE,
    SendEmail::QUEUE,
    PurgeExpired::QUEUE,
    SweepDeliveries::QUEUE,
    ReplayEvent::QUEUE,
    RunBatch::QUEUE,
    OnboardBatch::QUEUE,
    DeliverMetaEvent::QUEUE,
    IndexEvents::QUEUE,
    StoreRejectedMessage::QUEUE,
    BackUp::QUEUE,
    Notify::QUEUE,
    SendChatMessage::QUEUE,
    SendDigests::QUEUE,
    KeepHouse::QUEUE,
];
