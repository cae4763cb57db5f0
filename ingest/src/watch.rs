//! Tells how the sources are doing that this instance reads: into Redis, where the API finds it, and to their projects where one
//! begins to fail.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use posthouse_jobs::{DeliverMetaEvent, Notice, Notify, Queues, queue::Failing};
use posthouse_schema::{pool::Pool, project_config, words::MetaEventKind};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::status::{Health, Report, SourceStatuses};

/// How often what is new is told.
const PAUSE: Duration = Duration::from_secs(1);
/// Sources that are told of at once.
const TELLING_MAX: usize = 32;

/// Tells what is new, once a second, until `ended`; then a last time.
pub struct Watch {
    /// The database, for what projects want to hear.
    pub pool: Pool,
    /// Redis.
    pub queues: Queues,
    /// The sources.
    pub statuses: SourceStatuses,
    /// How long a source fails before it is said to.
    pub failing_after: Duration,
}

/// A source that has begun to fail, as a meta event.
#[derive(Serialize)]
struct FailingSource<'a> {
    uid: String,
    project_id: String,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    broker: &'a str,
    reason: &'a str,
    error: Option<&'a str>,
    failing_since: DateTime<Utc>,
}

impl Watch {
    /// See [`Watch`].
    pub async fn run(self, ended: CancellationToken) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                biased;
                () = ended.cancelled() => true,
                _ = ticks.tick() => false,
            };
            let reports = self.statuses.take_reports(Instant::now(), self.failing_after);
            let telling: Vec<_> = reports.into_iter().map(|report| self.tell(report)).collect();
            stream::iter(telling).buffer_unordered(TELLING_MAX).for_each(async |()| {}).await;
            if is_last {
                return;
            }
        }
    }

    /// What cannot be told now is told later.
    async fn tell(&self, mut report: Report) {
        let source_id = report.source_id;
        if report.is_gone {
            if let Err(error) = self.queues.forget_source(source_id).await {
                tracing::debug!(source.id = %source_id, error = %error, "What was known of a source ends by its time.");
            }
            return;
        }
        if let Some(note) = report.note.take()
            && let Err(error) = self.queues.note_source(source_id, &note).await
        {
            tracing::debug!(source.id = %source_id, error = %error, "How a source is doing could not be told.");
            self.statuses.put_back(source_id, note);
            return;
        }
        if let Some(health) = report.health {
            match self.settle(&report, health).await {
                Ok(()) => self.statuses.settled(source_id, health),
                Err(error) => {
                    tracing::warn!(source.id = %source_id, error = format!("{error:#}"), "The state of a source could not be told yet.");
                }
            }
        }
    }

    async fn settle(&self, report: &Report, health: Health) -> anyhow::Result<()> {
        let source_id = report.source_id;
        let Some(reason) = health.failing() else {
            let known = self.queues.source_state(source_id).await?.and_then(|state| state.failing);
            // That it can be read again says nothing about its messages.
            let is_over = |known: &Failing| {
                health == Health::Good || Some(known.reason.as_str()) == Health::Unreachable.failing()
            };
            if let Some(known) = known.filter(is_over) {
                self.queues.end_failing(source_id).await?;
                tracing::info!(source.id = %source_id, reason = known.reason, "A source fails no more.");
            }
            return Ok(());
        };
        // First what may fail, so that a source which is known to fail was told of.
        let is_wanted = {
            let mut conn = self.pool.get().await?;
            let config = project_config::load(&mut conn, &[report.project_id]).await?.remove(&report.project_id);
            config.is_some_and(|(config, _)| config.meta_event.wants(MetaEventKind::SourceFailing))
        };
        let failing = Failing { since: Utc::now(), reason: reason.to_owned() };
        if !self.queues.begin_failing(source_id, &failing).await? {
            return Ok(());
        }
        tracing::warn!(source.id = %source_id, reason, error = report.last_error, "A source is failing.");
        let told = async {
            if is_wanted {
                self.announce(report, &failing).await?;
            }
            self.notify(report, &failing).await
        };
        if let Err(error) = told.await {
            self.queues.end_failing(source_id).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Has the project's contacts told, as far as it names any.
    async fn notify(&self, report: &Report, failing: &Failing) -> anyhow::Result<()> {
        let notice = Notice::SourceFailing {
            source_id: report.source_id,
            name: report.name.clone(),
            reason: failing.reason.clone(),
            error: report.last_error.clone(),
        };
        let job = Notify { project_id: report.project_id, endpoint_id: None, at: failing.since, notice };
        self.queues.push(&job).await?;
        Ok(())
    }

    async fn announce(&self, report: &Report, failing: &Failing) -> anyhow::Result<()> {
        let data = FailingSource {
            uid: report.source_id.to_string(),
            project_id: report.project_id.to_string(),
            name: &report.name,
            kind: "pub_sub",
            broker: &report.broker,
            reason: &failing.reason,
            error: report.last_error.as_deref(),
            failing_since: failing.since,
        };
        let job = DeliverMetaEvent::announce(report.project_id, MetaEventKind::SourceFailing, &data)?;
        self.queues.push(&job).await?;
        Ok(())
    }
}
