//! Queues of jobs and their dead letters, for those who run the instance.

use posthouse_boxed::boxed;
use posthouse_jobs::queue::{Counts, DeadLetter, QueueView};
use posthouse_pages::job_queues::{self as pages, DeadLetterLine, DeadLetterList, QueueLine};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    admin::{self, AdminVisit},
    answer::{PageError, PageResult},
    operation::{Done, Operation},
    query,
    visit::{page, said},
};
use crate::{
    admin::queues::{
        discard_dead_letter, pause_queue, purge_dead_letters, redrive_dead_letter, redrive_dead_letters, resume_queue,
    },
    error::ApiError,
};

/// Dead letters of a page, and how far back there are pages.
const LETTERS_SHOWN: usize = 50;
const OFFSET_MAX: usize = 10_000;

/// The routes below those of who runs the instance.
pub fn router() -> Router {
    let letter = Router::with_path("{job}")
        .get(show)
        .push(Router::with_path("redrive").post(redrive))
        .push(Router::with_path("discard").post(discard));
    Router::with_path("queues").get(list).push(
        Router::with_path("{queue}")
            .get(dead_letters)
            .push(Router::with_path("pause").post(pause))
            .push(Router::with_path("resume").post(resume))
            .push(Router::with_path("redrive").post(redrive_all))
            .push(Router::with_path("purge").post(purge))
            .push(letter),
    )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let mut rows = Vec::with_capacity(posthouse_jobs::QUEUES.len());
    for name in posthouse_jobs::QUEUES {
        rows.push(line(&visit.visit.app.queues.view(name)).await?);
    }
    Ok(page(pages::list(visit.frame(), &rows, visit.board.as_deref())))
}

async fn line(view: &QueueView) -> Result<QueueLine, PageError> {
    let Counts { ready, delayed, running, failing, dead, done_by_day, .. } =
        view.counts().await.map_err(ApiError::queue)?;
    Ok(QueueLine {
        name: view.name().into(),
        is_paused: view.is_paused().await.map_err(ApiError::queue)?,
        ready,
        delayed,
        running,
        failing,
        dead,
        done_today: done_by_day.last().copied().unwrap_or_default(),
    })
}

/// The queue that the path names: one of ours.
fn name(req: &Request) -> Result<&'static str, PageError> {
    let name = req.param::<String>("queue").ok_or_else(PageError::not_found)?;
    posthouse_jobs::QUEUES.into_iter().find(|known| *known == name).ok_or_else(PageError::not_found)
}

fn job(req: &Request) -> Result<String, PageError> {
    req.param::<String>("job").ok_or_else(PageError::not_found)
}

/// Shows the dead letters of one.
#[handler]
#[boxed]
pub async fn dead_letters(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let view = visit.visit.app.queues.view(name(req)?);
    let offset = query::text(req, "offset").parse::<usize>().unwrap_or_default().min(OFFSET_MAX);
    let letters = view.dead_letters(offset, LETTERS_SHOWN).await.map_err(ApiError::queue)?;
    let shown = DeadLetterList {
        queue: line(&view).await?,
        offset: offset as u64,
        limit: LETTERS_SHOWN as u64,
        rows: letters.iter().map(letter_line).collect(),
    };
    Ok(page(pages::dead_letters(visit.frame(), &shown, visit.board.as_deref())))
}

fn letter_line(letter: &DeadLetter) -> DeadLetterLine {
    DeadLetterLine {
        id: letter.id.clone(),
        reason: letter.reason.clone(),
        tries: letter.tries,
        enqueued_at: letter.enqueued_at,
        died_at: letter.died_at,
    }
}

/// Shows one of them.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = AdminVisit::of(req, depot).await?;
    let name = name(req)?;
    let found = visit.visit.app.queues.view(name).dead_letter(&job(req)?).await.map_err(ApiError::queue)?;
    let letter = found.ok_or_else(PageError::not_found)?;
    let shown = (name, &letter_line(&letter), letter.payload.as_slice());
    Ok(page(pages::dead_letter(visit.frame(), shown, visit.board.as_deref())))
}

/// Does something with a queue, or with one of its letters where the path names one.
async fn run((req, depot): (&Request, &Depot), handler: impl salvo::Handler) -> Result<(String, Done), PageError> {
    let visit = AdminVisit::of(req, depot).await?;
    let name = name(req)?;
    let job = req.param::<String>("job").map(|job| ("job", job));
    let on: Vec<(&'static str, String)> = std::iter::once(("queue", name.to_string())).chain(job).collect();
    Ok((admin::path(&format!("/queues/{name}")), visit.visit.run(handler, Operation::on(&on)).await?))
}

fn number(done: &Done) -> u64 {
    done.data.get("num").and_then(Value::as_u64).unwrap_or_default()
}

/// Stops it.
#[handler]
#[boxed]
pub async fn pause(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), pause_queue).await?;
    Ok(said(to, &done, "Workers take nothing of the queue until it is resumed."))
}

/// Lets it go on.
#[handler]
#[boxed]
pub async fn resume(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), resume_queue).await?;
    Ok(said(to, &done, "The queue goes on."))
}

/// Gives all its dead letters another life.
#[handler]
#[boxed]
pub async fn redrive_all(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), redrive_dead_letters).await?;
    Ok(said(to, &done, &format!("{} jobs are ready again.", number(&done))))
}

/// Forgets all its dead letters.
#[handler]
#[boxed]
pub async fn purge(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), purge_dead_letters).await?;
    Ok(said(to, &done, &format!("{} dead letters are forgotten.", number(&done))))
}

/// Gives one another life.
#[handler]
#[boxed]
pub async fn redrive(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), redrive_dead_letter).await?;
    Ok(said(to, &done, "The job is ready again."))
}

/// Forgets one.
#[handler]
#[boxed]
pub async fn discard(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (to, done) = run((req, depot), discard_dead_letter).await?;
    Ok(said(to, &done, "The dead letter is forgotten."))
}
