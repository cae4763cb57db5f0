//! What operators see of a run: when it began, where, and what came of it, in the ledger and mostly in a trace. The work does not
//! depend on whether that can be written.

use apalis::prelude::BoxDynError;
use chrono::{DateTime, Utc};
use posthouse_jobs::Tick;
use posthouse_schema::schedule;
use posthouse_service::traces::{self, Beginning, Kind};
use serde_json::Value;

use crate::{context::Context, error::WorkerError};

/// Does the work of a schedule's tick, and notes what became of it.
///
/// # Errors
/// Those of the work.
pub async fn reported(
    context: &Context,
    (name, tick): (&'static str, Tick),
    work: impl Future<Output = Result<Value, BoxDynError>>,
) -> Result<(), BoxDynError> {
    let mut span = traces::begin("do run", Kind::Consumer, || beginning(tick));
    if let Some(span) = &mut span {
        span.set("posthouse.schedule", name);
        span.set_text("posthouse.tick", tick.at.to_rfc3339());
    }
    let outcome = reported_untraced(context, (name, tick), work).await;
    if let (Some(span), Err(error)) = (&mut span, &outcome) {
        span.fail(with_causes(error.as_ref()));
    }
    outcome
}

/// The same without a trace, for what runs every few seconds and mostly finds nothing to do.
///
/// # Errors
/// Those of the work.
pub async fn reported_untraced(
    context: &Context,
    (name, tick): (&'static str, Tick),
    work: impl Future<Output = Result<Value, BoxDynError>>,
) -> Result<(), BoxDynError> {
    or_log(begin(context, (name, tick.at)).await, name);
    let outcome = work.await;
    or_log(end(context, (name, tick.at), &outcome).await, name);
    outcome.map(drop)
}

/// In the trace of the scheduler that enqueued it, or in one of its own where that makes none.
fn beginning(tick: Tick) -> Beginning {
    Beginning { parent: tick.parent, ..Beginning::default() }
}

async fn begin(context: &Context, run: (&str, DateTime<Utc>)) -> Result<(), WorkerError> {
    Ok(schedule::begin_run(&mut *context.pool.get().await?, run, &context.instance).await?)
}

async fn end(
    context: &Context,
    run: (&str, DateTime<Utc>),
    outcome: &Result<Value, BoxDynError>,
) -> Result<(), WorkerError> {
    let failed = outcome.as_ref().err().map(|error| with_causes(error.as_ref()));
    let outcome = match (outcome, &failed) {
        (Ok(result), _) => Ok(result),
        (Err(_), reason) => Err(reason.as_deref().unwrap_or_default()),
    };
    Ok(schedule::end_run(&mut *context.pool.get().await?, run, outcome).await?)
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn or_log(noted: Result<(), WorkerError>, name: &str) {
    if let Err(error) = noted {
        tracing::warn!(schedule = name, error = %error, "What became of a run could not be noted.");
    }
}
