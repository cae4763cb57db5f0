//! Workers with a real PostgreSQL, a real Redis, real receivers and a real mail server's conversation.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backing_up;
mod configuring;
mod delivering;
mod exits;
mod failing;
mod filtering;
mod holding;
mod housekeeping;
mod keeping_house;
mod mail_server;
mod mailing;
mod meta_events;
mod mutual_tls;
mod noticing;
mod oauth2;
mod onboarding;
mod ordering;
mod receiver;
mod redirecting;
mod refusing;
mod replaying;
mod resolving;
mod timing;
mod transforming;
mod world;
