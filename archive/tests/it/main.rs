//! Archives of a real ledger, in a folder and in a store that speaks S3.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ledger;
mod restoring;
mod resuming;
mod s3;
