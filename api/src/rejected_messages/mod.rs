//! Messages of brokers that could not become events: list, read, have them read again, delete. Ingest does the reading.

mod wire;

use posthouse_boxed::boxed;
use posthouse_schema::{
    ids::RejectedMessageId,
    rejected_message::{self, RejectedFilter, RejectedMessage},
};
use salvo::prelude::*;

use self::wire::RejectedMessageWire;
use crate::{
    auth::{Need, authorized},
    body::bounded,
    deliveries::wire::CountWire,
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const UNKNOWN: ApiError = ApiError::NotFound("rejected message not found");
/// Sources or reasons of one query.
const VALUES_MAX: usize = 50;

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{rejected_message_id}")
        .get(get_rejected_message)
        .delete(delete_rejected_message)
        .push(Router::with_path("redrive").post(redrive_rejected_message));
    Router::with_path("rejected-messages")
        .get(list_rejected_messages)
        .delete(delete_rejected_messages)
        .push(Router::with_path("redrive").post(redrive_rejected_messages))
        .push(one)
}

/// Lists messages of brokers that could not become events
///
/// Query: `sourceId` and `reason` (repeatable), `startDate` and `endDate` (the last seven days where they are missing), `sort`,
/// and the page. The messages themselves are shown one by one.
#[endpoint(tags("Rejected Messages"), operation_id = "GetRejectedMessages")]
#[boxed]
pub async fn list_rejected_messages(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<RejectedMessageWire>> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let (filter, page) = (filter(req)?, query::page::<RejectedMessageId>(req)?);
    let rows = RejectedMessage::list(&mut *app.conn().await?, project.id, &filter, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), RejectedMessageWire::from);
    Ok(Reply::ok("Rejected messages fetched successfully", paged))
}

/// Reads a message that could not become an event
#[endpoint(tags("Rejected Messages"), operation_id = "GetRejectedMessage")]
#[boxed]
pub async fn get_rejected_message(req: &mut Request, depot: &mut Depot) -> ApiResult<RejectedMessageWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let found = RejectedMessage::find(&mut *app.conn().await?, project.id, id(req)?).await?;
    let (row, payload) = found.ok_or(UNKNOWN)?;
    Ok(Reply::ok("Rejected message fetched successfully", RejectedMessageWire::from(row).with_payload(payload)))
}

/// Has a rejected message read again
///
/// By what its source says now, as if it had just come. Once it is an event it is not listed here any more; one that is rejected
/// again stays, with its new reason.
#[endpoint(tags("Rejected Messages"), operation_id = "RedriveRejectedMessage")]
#[boxed]
pub async fn redrive_rejected_message(req: &mut Request, depot: &mut Depot) -> ApiResult<RejectedMessageWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let id = id(req)?;
    let mut conn = app.conn().await?;
    rejected_message::redrive(&mut conn, project.id, &[id]).await?;
    // One that is an event already is gone.
    let (row, _) = RejectedMessage::find(&mut conn, project.id, id).await?.ok_or(UNKNOWN)?;
    if !row.is_whole {
        return Err(ApiError::invalid("the message is too large to be kept as a whole, and cannot be read again"));
    }
    Ok(Reply::accepted("The message will be read again", row.into()))
}

/// Has all rejected messages that a query means read again
///
/// Takes the filters of the list. Those that are not kept as a whole, and those that wait already, are passed over.
#[endpoint(tags("Rejected Messages"), operation_id = "RedriveRejectedMessages")]
#[boxed]
pub async fn redrive_rejected_messages(req: &mut Request, depot: &mut Depot) -> ApiResult<CountWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let asked = rejected_message::redrive_all(&mut *app.conn().await?, project.id, &filter(req)?).await?;
    Ok(Reply::accepted("The messages will be read again", count(asked)))
}

/// Deletes a rejected message
#[endpoint(tags("Rejected Messages"), operation_id = "DeleteRejectedMessage")]
#[boxed]
pub async fn delete_rejected_message(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    if !RejectedMessage::delete(&mut *app.conn().await?, project.id, id(req)?).await? {
        return Err(UNKNOWN);
    }
    Ok(Reply::ok("Rejected message deleted successfully", NoData))
}

/// Deletes all rejected messages that a query means
///
/// Takes the filters of the list.
#[endpoint(tags("Rejected Messages"), operation_id = "DeleteRejectedMessages")]
#[boxed]
pub async fn delete_rejected_messages(req: &mut Request, depot: &mut Depot) -> ApiResult<CountWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let deleted = rejected_message::delete_all(&mut *app.conn().await?, project.id, &filter(req)?).await?;
    Ok(Reply::ok("Rejected messages deleted successfully", count(deleted)))
}

fn count(number: usize) -> CountWire {
    CountWire { num: i64::try_from(number).unwrap_or(i64::MAX) }
}

fn filter(req: &Request) -> Result<RejectedFilter, ApiError> {
    let (from, to) = query::window(req, chrono::Utc::now())?;
    let (source_ids, reasons) = (query::ids(req, "sourceId")?, query::list(req, "reason"));
    reasons.iter().try_for_each(|reason| bounded("reason", reason))?;
    for (key, number) in [("sourceId", source_ids.len()), ("reason", reasons.len())] {
        if number > VALUES_MAX {
            return Err(ApiError::invalid(format!("{key}: at most {VALUES_MAX} are accepted")));
        }
    }
    Ok(RejectedFilter { source_ids, reasons, from: Some(from), to: Some(to) })
}

fn id(req: &Request) -> Result<RejectedMessageId, ApiError> {
    req.param::<String>("rejected_message_id").and_then(|id| id.parse().ok()).ok_or(UNKNOWN)
}
