//! Tells projects of sources that have received nothing for longer than they should.

use apalis::prelude::BoxDynError;
use chrono::{DateTime, Utc};
use posthouse_jobs::DeliverMetaEvent;
use posthouse_schema::{
    project_config,
    source_silence::{self, SourceSilence},
    words::MetaEventKind,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;

/// Sources that one look takes; the next sees the rest.
const SOURCES_MAX: i64 = 1_000;
/// Why such a source is failing, in a word.
const REASON: &str = "stale";

/// The source, in the form of every source that is failing.
#[derive(Serialize)]
struct StaleSource<'a> {
    uid: String,
    project_id: String,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    broker: &'a str,
    reason: &'static str,
    error: Option<&'a str>,
    failing_since: DateTime<Utc>,
}

/// Looks for sources that have fallen silent, and for those that are heard again.
///
/// # Errors
/// The database or the queue fails; what was told is not told again.
pub async fn watch(context: &Context) -> Result<Value, BoxDynError> {
    let changed = source_silence::list_changed_all_projects(&mut *context.pool.get().await?, SOURCES_MAX).await?;
    let (mut stale, mut recovered) = (0, 0);
    for source in changed {
        if source.is_silent {
            stale += usize::from(tell(context, &source).await?);
        } else {
            source_silence::end(&mut *context.pool.get().await?, source.project_id, source.id).await?;
            tracing::info!(source.id = %source.id, "A source receives again.");
            recovered += 1;
        }
    }
    Ok(json!({"stale": stale, "recovered": recovered}))
}

/// `false`: it has received something that became no event, or that was told before.
async fn tell(context: &Context, source: &SourceSilence) -> Result<bool, BoxDynError> {
    let state = context.queues.source_state(source.id).await?;
    let heard_at = state.and_then(|state| state.note.last_message_at);
    if heard_at.is_some_and(|at| at >= source.allowed_since) {
        return Ok(false);
    }
    let mut conn = context.pool.get().await?;
    let config = project_config::load(&mut conn, &[source.project_id]).await?.remove(&source.project_id);
    let is_wanted = config.is_some_and(|(config, _)| config.meta_event.wants(MetaEventKind::SourceFailing));
    if !source_silence::begin(&mut conn, source.project_id, source.id).await? {
        return Ok(false);
    }
    tracing::warn!(source.id = %source.id, project.id = %source.project_id, reason = REASON, "A source is failing.");
    if is_wanted && let Err(error) = announce(context, source).await {
        source_silence::end(&mut conn, source.project_id, source.id).await?;
        return Err(error);
    }
    Ok(true)
}

async fn announce(context: &Context, source: &SourceSilence) -> Result<(), BoxDynError> {
    let data = StaleSource {
        uid: source.id.to_string(),
        project_id: source.project_id.to_string(),
        name: &source.name,
        kind: &source.kind,
        broker: source.broker.as_deref().unwrap_or_default(),
        reason: REASON,
        error: None,
        failing_since: Utc::now(),
    };
    let job = DeliverMetaEvent::announce(source.project_id, MetaEventKind::SourceFailing, &data)?;
    context.queues.push(&job).await?;
    Ok(())
}
