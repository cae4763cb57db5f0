//! Replaying all events that a query matches: counted, tried, begun.

use posthouse_boxed::boxed;
use posthouse_pages::{
    events::{self as pages, ReplayAll},
    form::Problem,
    frame::Place,
};
use posthouse_schema::{
    batch_run::BatchRun,
    ids::BatchRunId,
    page::{Direction, PageRequest, Sort},
};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    events::KEPT,
    form::Form,
    query,
    visit::{ProjectVisit, page},
};
use crate::{
    auth::Need,
    events::{batch_replay, count_batch_replay},
};

/// Asks before it is begun.
#[handler]
#[boxed]
pub async fn ask(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::Manage).await?;
    asked(req, &visit, None).await
}

async fn asked(req: &mut Request, visit: &ProjectVisit, problem: Option<Problem>) -> PageResult {
    let query = query::kept(req, &KEPT);
    query::complete(req);
    let complete = query::kept(req, &KEPT);
    let counted = visit.run(count_batch_replay, visit.on(&[]).with_query(&complete)).await?;
    let number = counted.data.get("num").and_then(Value::as_i64).unwrap_or(0);
    let is_again = problem.is_some();
    let problem = problem.or_else(|| counted.problem(&[]));
    let shown = pages::replay_all(visit.frame(), &ReplayAll { number, query, problem });
    Ok(if is_again { Answer::Again(shown) } else { page(shown) })
}

/// Begins it, or a trial that delivers nothing.
#[handler]
#[boxed]
pub async fn begin(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Events, Need::Manage).await?;
    let is_trial = Form::of(depot).text("do") == "try";
    query::complete(req);
    let mut query = query::kept(req, &KEPT);
    if is_trial {
        query.push(("dry_run".into(), "true".into()));
    }
    let done = visit.run(batch_replay, visit.on(&[]).with_query(&query)).await?;
    if let Some(problem) = done.problem(&[]) {
        return asked(req, &visit, Some(problem)).await;
    }
    let to = match newest(&visit).await? {
        Some(batch) => visit.path(&format!("/batches/{batch}")),
        None => visit.path("/batches"),
    };
    let good = if is_trial { "It is tried in the background." } else { "They are replayed in the background." };
    Ok(Redirection::to(to).saying(true, good).into())
}

/// The batch that was begun last.
async fn newest(visit: &ProjectVisit) -> Result<Option<BatchRunId>, PageError> {
    let first =
        PageRequest { per_page: 1, sort: Sort::Descending, direction: Direction::Next, cursor: None::<BatchRunId> };
    let found = BatchRun::list(&mut *visit.conn().await?, visit.id(), &first).await?;
    Ok(found.rows.first().map(|row| row.id))
}
