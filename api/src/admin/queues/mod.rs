//! Queues of jobs, for those who run the instance: what each holds, its dead letters and their next life, and a word to the
//! workers, which take nothing from a paused queue.

mod wire;

use posthouse_boxed::boxed;
use posthouse_jobs::{
    QueueError,
    queue::{QueueView, Redriven},
};
use posthouse_schema::ids::UserId;
use salvo::prelude::*;

use self::wire::{DeadLetterWire, DeadLettersWire, QueueWire, RedrivenWire};
use crate::{
    app::App,
    auth,
    error::{ApiError, ApiResult},
    query,
    reply::{NoData, Reply},
};

const UNKNOWN: ApiError = ApiError::NotFound("queue not found");
const NO_LETTER: ApiError = ApiError::NotFound("dead letter not found");
/// Letters in one answer, and where nothing is said.
const LETTERS_MAX: usize = 200;
const LETTERS_DEFAULT: usize = 50;
/// A queue keeps no more of them.
const OFFSET_MAX: usize = 10_000;

/// The routes of queues.
pub fn router() -> Router {
    let letter = Router::with_path("{job}")
        .get(get_dead_letter)
        .delete(discard_dead_letter)
        .push(Router::with_path("redrive").post(redrive_dead_letter));
    let letters = Router::with_path("dead-letters")
        .get(list_dead_letters)
        .delete(purge_dead_letters)
        .push(Router::with_path("redrive").post(redrive_dead_letters))
        .push(letter);
    Router::with_path("admin/queues").get(list_queues).push(
        Router::with_path("{queue}")
            .get(get_queue)
            .push(Router::with_path("pause").put(pause_queue))
            .push(Router::with_path("resume").put(resume_queue))
            .push(letters),
    )
}

/// Lists the queues
///
/// For instance administrators. What each holds now, what became of its jobs, and whether it is paused.
#[endpoint(tags("Administration"), operation_id = "GetQueues")]
#[boxed]
pub async fn list_queues(depot: &mut Depot) -> ApiResult<Vec<QueueWire>> {
    let (app, _) = auth::instance_admin(depot).await?;
    let mut queues = Vec::with_capacity(posthouse_jobs::QUEUES.len());
    for name in posthouse_jobs::QUEUES {
        queues.push(read(&app.queues.view(name)).await?);
    }
    Ok(Reply::ok("Queues fetched successfully", queues))
}

/// Reads what a queue holds
///
/// For instance administrators.
#[endpoint(tags("Administration"), operation_id = "GetQueue")]
#[boxed]
pub async fn get_queue(req: &mut Request, depot: &mut Depot) -> ApiResult<QueueWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    Ok(Reply::ok("Queue fetched successfully", read(&view(req, &app)?).await?))
}

/// Pauses a queue
///
/// For instance administrators. Workers take no jobs of it until it is let go on; what runs goes on, and what comes is kept.
#[endpoint(tags("Administration"), operation_id = "PauseQueue")]
#[boxed]
pub async fn pause_queue(req: &mut Request, depot: &mut Depot) -> ApiResult<QueueWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    view.pause().await.map_err(ApiError::queue)?;
    told(user, &view, "A queue was paused.");
    Ok(Reply::ok("Queue paused successfully", read(&view).await?))
}

/// Lets a paused queue go on
///
/// For instance administrators.
#[endpoint(tags("Administration"), operation_id = "ResumeQueue")]
#[boxed]
pub async fn resume_queue(req: &mut Request, depot: &mut Depot) -> ApiResult<QueueWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    view.resume().await.map_err(ApiError::queue)?;
    told(user, &view, "A queue goes on.");
    Ok(Reply::ok("Queue resumed successfully", read(&view).await?))
}

/// Lists dead letters
///
/// For instance administrators. Jobs that cannot succeed, the newest first, with the reason. Query: `offset`, and `limit` (50
/// where it is missing, at most 200).
#[endpoint(tags("Administration"), operation_id = "GetDeadLetters")]
#[boxed]
pub async fn list_dead_letters(req: &mut Request, depot: &mut Depot) -> ApiResult<DeadLettersWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    let (offset, limit) = (number(req, "offset", 0, OFFSET_MAX)?, number(req, "limit", LETTERS_DEFAULT, LETTERS_MAX)?);
    let letters = view.dead_letters(offset, limit).await.map_err(ApiError::queue)?;
    let total = view.counts().await.map_err(ApiError::queue)?.dead;
    let content = letters.into_iter().map(DeadLetterWire::from).collect();
    Ok(Reply::ok("Dead letters fetched successfully", DeadLettersWire { total, content }))
}

/// Reads a dead letter
///
/// For instance administrators.
#[endpoint(tags("Administration"), operation_id = "GetDeadLetter")]
#[boxed]
pub async fn get_dead_letter(req: &mut Request, depot: &mut Depot) -> ApiResult<DeadLetterWire> {
    let (app, _) = auth::instance_admin(depot).await?;
    let letter = view(req, &app)?.dead_letter(&job(req)?).await.map_err(ApiError::queue)?.ok_or(NO_LETTER)?;
    Ok(Reply::ok("Dead letter fetched successfully", letter.into()))
}

/// Gives a dead letter another life
///
/// For instance administrators. The job is ready again, with no failed tries behind it.
#[endpoint(tags("Administration"), operation_id = "RedriveDeadLetter")]
#[boxed]
pub async fn redrive_dead_letter(req: &mut Request, depot: &mut Depot) -> ApiResult<RedrivenWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    match view.redrive(&job(req)?).await.map_err(ApiError::queue)? {
        Redriven::Ready => {
            told(user, &view, "A dead letter was given another life.");
            Ok(Reply::ok("Dead letter redriven successfully", RedrivenWire { num: 1 }))
        }
        Redriven::Alive => Err(ApiError::invalid("a job with the same id is alive; the dead letter stays")),
        Redriven::Missing => Err(NO_LETTER),
    }
}

/// Gives all dead letters of a queue another life
///
/// For instance administrators. `num` says how many are ready again.
#[endpoint(tags("Administration"), operation_id = "RedriveDeadLetters")]
#[boxed]
pub async fn redrive_dead_letters(req: &mut Request, depot: &mut Depot) -> ApiResult<RedrivenWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    let num = view.redrive_all(|_| true).await.map_err(ApiError::queue)?;
    told(user, &view, "All dead letters were given another life.");
    Ok(Reply::ok("Dead letters redriven successfully", RedrivenWire { num }))
}

/// Forgets a dead letter
///
/// For instance administrators. What it was to do is not done.
#[endpoint(tags("Administration"), operation_id = "DiscardDeadLetter")]
#[boxed]
pub async fn discard_dead_letter(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    if !view.discard(&job(req)?).await.map_err(ApiError::queue)? {
        return Err(NO_LETTER);
    }
    told(user, &view, "A dead letter was forgotten.");
    Ok(Reply::ok("Dead letter discarded successfully", NoData))
}

/// Forgets all dead letters of a queue
///
/// For instance administrators. `num` says how many there were.
#[endpoint(tags("Administration"), operation_id = "PurgeDeadLetters")]
#[boxed]
pub async fn purge_dead_letters(req: &mut Request, depot: &mut Depot) -> ApiResult<RedrivenWire> {
    let (app, user) = auth::instance_admin(depot).await?;
    let view = view(req, &app)?;
    let num = view.purge_dead().await.map_err(ApiError::queue)?;
    told(user, &view, "All dead letters were forgotten.");
    Ok(Reply::ok("Dead letters purged successfully", RedrivenWire { num }))
}

async fn read(view: &QueueView) -> Result<QueueWire, ApiError> {
    let read = async || Ok::<_, QueueError>((view.counts().await?, view.is_paused().await?));
    let (counts, is_paused) = read().await.map_err(ApiError::queue)?;
    Ok(QueueWire::new(view.name(), &counts, is_paused))
}

/// The queue that the path names: one of ours, since a view of any other would make keys of its name.
fn view(req: &Request, app: &App) -> Result<QueueView, ApiError> {
    let name = req.param::<String>("queue").ok_or(UNKNOWN)?;
    let known = posthouse_jobs::QUEUES.into_iter().find(|known| *known == name);
    known.map(|name| app.queues.view(name)).ok_or(UNKNOWN)
}

fn job(req: &Request) -> Result<String, ApiError> {
    req.param::<String>("job").ok_or(NO_LETTER)
}

fn number(req: &Request, key: &'static str, default: usize, max: usize) -> Result<usize, ApiError> {
    let Some(text) = query::one(req, key) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| ApiError::invalid(format!("{key}: a number between 0 and {max} is expected")))
}

fn told(user: UserId, view: &QueueView, what: &'static str) {
    tracing::info!(user.id = %user, queue = view.name(), "{what}");
}
