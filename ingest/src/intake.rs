//! The way into Redis, the same for every broker. A message may be acknowledged after [`Intake::push`] returned `Ok` for
//! its event, and never before.

use std::time::Duration;

use posthouse_jobs::{
    CreateEvent, Queues, StoreRejectedMessage, TraceContext,
    queue::{QueueError, Rate, Sighting, Turns},
};
use posthouse_schema::ids::SourceId;
use posthouse_service::traces::{self, Beginning, Kind, Place, Span};
use posthouse_transform::Transformer;

use crate::{
    message::{Origin, Refused, Rejection, read},
    metrics::IngestMetrics,
};

/// The wait between two attempts while Redis is away.
pub const PUSH_PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for an answer of Redis.
const PUSH_MAX: Duration = Duration::from_secs(10);

/// Where messages are read, where accepted events go, and where they are counted.
#[derive(Clone)]
pub struct Intake {
    /// The queues.
    pub queues: Queues,
    /// The counters.
    pub metrics: IngestMetrics,
    /// Runs functions of sources.
    pub transformer: Transformer,
}

impl Intake {
    /// The event that a message becomes, after the source's functions, with headers that its broker has beside the body.
    ///
    /// # Errors
    /// It will never be one.
    pub async fn read(
        &self,
        payload: &[u8],
        beside: Vec<(String, String)>,
        origin: &Origin,
    ) -> Result<CreateEvent, Rejection> {
        let Some(mut span) = begin_span(&beside) else { return read(payload, beside, origin, &self.transformer).await };
        span.set_text("posthouse.project.id", origin.project_id);
        span.set_text("posthouse.source.id", origin.source_id);
        let mut became = read(payload, beside, origin, &self.transformer).await;
        match &mut became {
            Ok(event) => {
                TraceContext::within(span.place()).store(&mut event.headers);
                span.set_text("posthouse.event.id", event.event_id);
            }
            Err(rejection) => span.fail(rejection.reason()),
        }
        became
    }

    /// Counts a message that will never be an event, and returns the job that keeps it, if it is to be kept. The message may be
    /// acknowledged after that job was pushed.
    pub fn refuse(&self, origin: &Origin, rejection: &Rejection, refused: Refused<'_>) -> Option<StoreRejectedMessage> {
        self.metrics.rejected(rejection);
        let body_bytes = refused.payload_bytes;
        let job = refused.kept(origin, rejection)?;
        self.metrics.statuses().rejected(origin.source_id, &rejection.to_string());
        tracing::warn!(
            source.id = %origin.source_id, message.id = %job.message_id, reason = rejection.reason(), error = %rejection,
            body_bytes, "A message was refused and is kept apart."
        );
        Some(job)
    }

    /// Takes up to so many messages from what a source may take in.
    ///
    /// # Errors
    /// Redis did not answer; in words.
    pub async fn take_turns(&self, source: SourceId, rate: Rate, wanted: usize) -> Result<Turns, String> {
        self.confirmed(self.queues.take_turns(&format!("source:{source}"), rate, wanted)).await
    }

    /// The ids that these messages of a source have: those that came before have them already.
    ///
    /// # Errors
    /// Redis did not answer; in words.
    pub async fn recognise(&self, source: SourceId, sightings: &[Sighting]) -> Result<Vec<u128>, String> {
        self.confirmed(self.queues.recognise(source, sightings)).await
    }

    /// Pushes the jobs of these events and of what was refused. After an error some may be in Redis: a repeated push finds them
    /// by their ids.
    ///
    /// # Errors
    /// Redis did not confirm; in words.
    pub async fn push(&self, events: &[CreateEvent], rejected: &[StoreRejectedMessage]) -> Result<(), String> {
        let push = async {
            self.queues.push_all(events).await?;
            self.queues.push_all(rejected).await
        };
        self.confirmed(push).await?;
        self.metrics.accepted(events);
        Ok(())
    }

    async fn confirmed<T>(&self, asked: impl Future<Output = Result<T, QueueError>>) -> Result<T, String> {
        let error = match tokio::time::timeout(PUSH_MAX, asked).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => format!("{:#}", anyhow::Error::new(error)),
            Err(_) => "Redis did not answer in time".to_owned(),
        };
        self.metrics.push_failed();
        Err(error)
    }
}

/// Begins the span of a message, where traces are made: in the trace that its broker has beside the body, if any.
fn begin_span(beside: &[(String, String)]) -> Option<Span> {
    let named =
        |(name, value): &(String, String)| name.eq_ignore_ascii_case("traceparent").then(|| Place::parse(value))?;
    let beginning = || Beginning { parent: beside.iter().find_map(named), ..Beginning::default() };
    traces::begin("ingest message", Kind::Producer, beginning)
}
