//! Reads messages again that were refused, where somebody asks for it: as if they had just come, by what their source says now.
//! One that becomes an event is kept no longer. Several instances share the work, and what is interrupted is done again: a
//! message makes the same event however often it is read for one request.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use posthouse_jobs::CreateEvent;
use posthouse_schema::{
    QueryError,
    ids::{EventId, SourceId},
    pool::{Pool, PoolError},
    rejected_message::{self, RedrivenMessage, RejectedMessage},
    source_feed::{self, FeedSource},
};
use serde::Deserialize as _;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::Fault,
    intake::Intake,
    message::{Origin, beside, storable},
};

/// Messages of one round.
const ROUND_MAX: i64 = 32;
/// What counters of events say of where these came from.
const KIND: &str = "redrive";
/// Messages that are read at once.
const READS_MAX: usize = 16;
/// How long no other instance gets the messages of a round.
const LEASE: Duration = Duration::from_mins(2);
/// Longest time for reading one; then it is left to a later round.
const READ_MAX: Duration = Duration::from_secs(45);
/// Why a message cannot be read whose source is gone.
const SOURCE_GONE: (&str, &str) = ("source_gone", "the source is gone, or reads no broker any more");

/// Why a round came to no end; the next one does the rest.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("the database cannot be reached")]
    Pool(#[from] PoolError),
    #[error("the database fails")]
    Query(#[from] QueryError),
    #[error("the queue takes no events: {0}")]
    Queue(String),
}

/// What became of a message.
enum Read {
    Event(Box<CreateEvent>),
    Refused {
        reason: String,
        detail: String,
    },
    /// Its functions did not get their turn.
    Later,
}

/// Reads what waits, and looks for more every `pause`, until `shutdown`.
pub async fn run(pool: Pool, intake: Intake, pause: Duration, shutdown: CancellationToken) {
    let intake = Intake { metrics: intake.metrics.of_kind(KIND), ..intake };
    let mut fault = Fault::default();
    loop {
        let round = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            round = round(&pool, &intake) => round,
        };
        match round {
            Ok(0) => {
                fault.is_over();
            }
            Ok(_) => continue,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                if fault.is_news(&error) {
                    tracing::error!(error, "Refused messages cannot be read again now.");
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads the next messages that wait, and returns how many came to an end.
async fn round(pool: &Pool, intake: &Intake) -> Result<usize, RoundError> {
    let mut conn = pool.get().await?;
    let messages = rejected_message::lease_redriven_all_projects(&mut conn, ROUND_MAX, LEASE).await?;
    if messages.is_empty() {
        return Ok(0);
    }
    let ids: Vec<SourceId> = messages.iter().map(|message| message.source_id).collect();
    let sources = source_feed::find_broker_sources_all_projects(&mut conn, &ids).await?;
    drop(conn);
    let sources: HashMap<SourceId, FeedSource> = sources.into_iter().map(|source| (source.id, source)).collect();
    let reads: Vec<_> = messages.iter().map(|message| read(intake, sources.get(&message.source_id), message)).collect();
    let reads: Vec<Read> = stream::iter(reads).buffered(READS_MAX).collect().await;
    let events: Vec<CreateEvent> = reads
        .iter()
        .filter_map(|read| if let Read::Event(event) = read { Some((**event).clone()) } else { None })
        .collect();
    intake.push(&events, &[]).await.map_err(RoundError::Queue)?;
    let mut conn = pool.get().await?;
    let mut ended = 0;
    for (message, read) in messages.iter().zip(&reads) {
        match read {
            Read::Event(event) => {
                RejectedMessage::delete(&mut conn, message.project_id, message.id).await?;
                tracing::info!(source.id = %message.source_id, message.id = %message.id, event.id = %event.event_id, "A refused message became an event.");
            }
            Read::Refused { reason, detail } => message.note_rejection(&mut conn, reason, detail).await?,
            Read::Later => continue,
        }
        intake.metrics.redriven(matches!(read, Read::Event(_)));
        ended += 1;
    }
    Ok(ended)
}

async fn read(intake: &Intake, source: Option<&FeedSource>, message: &RedrivenMessage) -> Read {
    let source = source.filter(|source| source.project_id == message.project_id);
    let (Some(source), Some(requested_at)) = (source, message.redrive_requested_at) else {
        let (reason, detail) = SOURCE_GONE;
        return Read::Refused { reason: reason.into(), detail: detail.into() };
    };
    let kept = BTreeMap::deserialize(&message.metadata).unwrap_or_default();
    let origin = Origin::of(source);
    match tokio::time::timeout(READ_MAX, intake.read(&message.payload, beside(&kept), &origin)).await {
        Ok(Ok(mut event)) => {
            event.event_id = EventId::derive_redriven(message.id, requested_at);
            event.accepted_at = event.event_id.created_at();
            Read::Event(Box::new(event))
        }
        Ok(Err(rejection)) => {
            Read::Refused { reason: rejection.reason().into(), detail: storable(&rejection.detail()) }
        }
        Err(_) => Read::Later,
    }
}
