//! Archives of a real ledger, in a folder, in a store that speaks S3 and in one that speaks as Azure does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod azure;
mod ledger;
mod restoring;
mod resuming;
mod s3;
