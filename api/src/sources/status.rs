//! How a source of a broker is doing, as ingest tells it. The contract has none.

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_jobs::queue::SourceState;
use posthouse_schema::source::Source;
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use super::{UNKNOWN, id};
use crate::{
    auth::{Need, authorized},
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// After this time without a word the instance that read a source is taken for dead. It says something every 10 s.
const SILENCE_MAX: TimeDelta = TimeDelta::seconds(30);

/// How a source of a broker is doing. Of a source of another kind, and of one that nobody has read yet, all is empty.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceStatusWire {
    /// The source.
    pub uid: String,
    /// Whether it is being read.
    pub is_connected: bool,
    /// Messages that its broker brought.
    pub received: u64,
    /// Those that became events.
    pub accepted: u64,
    /// Those that were refused.
    pub rejected: u64,
    /// Messages that wait at its broker, about ten seconds ago: of Kafka those after what the group has committed, of AMQP those
    /// in the queue, of NATS and Redis those that were given to nobody yet. Null where it is not known, and for MQTT, whose
    /// brokers do not tell.
    pub lag: Option<u64>,
    /// When its broker last brought a message.
    pub last_message_at: Option<DateTime<Utc>>,
    /// What last went wrong: with the connection, or with a message.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<DateTime<Utc>>,
    /// Since when it is failing; null where it is not.
    pub failing_since: Option<DateTime<Utc>>,
    /// `unreachable`, or `rejecting` where every message is refused.
    pub failing_reason: Option<String>,
    /// When something was last heard of it.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Tells how a source of a broker is doing
///
/// Counts are of all time, and about a second old. After a restart of Redis without its data they begin anew.
#[endpoint(tags("Sources"), operation_id = "GetSourceStatus")]
#[boxed]
pub async fn get_source_status(req: &mut Request, depot: &mut Depot) -> ApiResult<SourceStatusWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let row = Source::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    let state = app.queues.source_state(row.id).await.map_err(ApiError::queue)?.unwrap_or_default();
    Ok(Reply::ok("Source status fetched successfully", SourceStatusWire::new(row.id.to_string(), state, Utc::now())))
}

impl SourceStatusWire {
    /// As ingest told it.
    pub fn new(uid: String, state: SourceState, now: DateTime<Utc>) -> Self {
        let SourceState { note, noted_at, failing } = state;
        let is_alive = noted_at.is_some_and(|at| now - at < SILENCE_MAX);
        let (last_error, last_error_at) = note.error.unzip();
        let (failing_since, failing_reason) = failing.map(|failing| (failing.since, failing.reason)).unzip();
        Self {
            uid,
            is_connected: note.is_connected && is_alive,
            received: note.received,
            accepted: note.accepted,
            rejected: note.rejected,
            lag: note.lag,
            last_message_at: note.last_message_at,
            last_error,
            last_error_at,
            failing_since,
            failing_reason,
            updated_at: noted_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use posthouse_jobs::queue::SourceNote;

    use super::*;

    #[test]
    fn a_source_of_which_nobody_speaks_is_not_connected() {
        let now = Utc::now();
        for (seconds, is_connected) in [(29, true), (30, false)] {
            let state = SourceState {
                note: SourceNote { is_connected: true, ..SourceNote::default() },
                noted_at: Some(now - TimeDelta::seconds(seconds)),
                failing: None,
            };
            assert_eq!(SourceStatusWire::new("s".into(), state, now).is_connected, is_connected, "{seconds} s");
        }
        assert!(!SourceStatusWire::new("s".into(), SourceState::default(), now).is_connected);
    }
}
