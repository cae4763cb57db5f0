//! Filters of a subscription for single event types.

use posthouse_boxed::boxed;
use posthouse_pages::{
    filters::{self as pages, FIELDS, FilterForm, FilterLine},
    form::Problem,
    frame::Place,
    values::{self, Values},
};
use posthouse_schema::{
    filter::FilterRow,
    ids::{FilterId, SubscriptionId},
    subscription::Subscription,
};
use salvo::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, PageError, PageResult},
    form::Form,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    filters::{create_filter, delete_filter, update_filter},
};

const FILTERS_MAX: u32 = 1_000;
/// The parts of an event that are asked.
const SCOPES: [&str; 4] = ["body", "headers", "query", "path"];

/// The routes below a subscription.
pub fn router() -> Router {
    Router::with_path("filters")
        .push(Router::with_path("new").get(new).post(create))
        .push(Router::with_path("{filter_id}").get(edit).post(update).push(Router::with_path("delete").post(delete)))
}

/// Those of a subscription.
///
/// # Errors
/// 503 when the database is away.
pub async fn lines(visit: &ProjectVisit, id: SubscriptionId) -> Result<Vec<FilterLine>, PageError> {
    let rows = FilterRow::list(&mut *visit.conn().await?, visit.id(), id, FILTERS_MAX).await?;
    Ok(rows.into_iter().map(line).collect())
}

fn line(row: FilterRow) -> FilterLine {
    let asked: Map<String, Value> = scopes(&row)
        .into_iter()
        .filter(|(_, conditions)| conditions.as_object().is_some_and(|conditions| !conditions.is_empty()))
        .map(|(name, conditions)| (name.to_string(), conditions.clone()))
        .collect();
    FilterLine {
        id: row.id.to_string(),
        is_enabled: row.enabled_at.is_some(),
        asks: if asked.is_empty() { String::new() } else { Value::Object(asked).to_string() },
        event_type: row.event_type,
    }
}

fn scopes(row: &FilterRow) -> [(&'static str, &Value); 4] {
    [("body", &row.body), ("headers", &row.headers), ("query", &row.query), ("path", &row.path)]
}

/// Who changes a subscription's filters, and the subscription.
async fn of(req: &Request, depot: &Depot) -> Result<(ProjectVisit, Subscription), PageError> {
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, Need::Manage).await?;
    let subscription: SubscriptionId = id(req, "subscription_id")?;
    let row = Subscription::find(&mut *visit.conn().await?, visit.id(), subscription).await?;
    Ok((visit, row.ok_or_else(PageError::not_found)?))
}

async fn find(req: &Request, (visit, subscription): (&ProjectVisit, &Subscription)) -> Result<FilterRow, PageError> {
    let filter: FilterId = id(req, "filter_id")?;
    let row = FilterRow::find(&mut *visit.conn().await?, visit.id(), filter).await?;
    row.filter(|row| row.subscription_id == subscription.id).ok_or_else(PageError::not_found)
}

fn on(subscription: &Subscription, filter: Option<FilterId>) -> Vec<(&'static str, String)> {
    let own = std::iter::once(("subscription_id", subscription.id.to_string()));
    own.chain(filter.map(|id| ("filter_id", id.to_string()))).collect()
}

fn back(visit: &ProjectVisit, subscription: &Subscription) -> String {
    visit.path(&format!("/subscriptions/{}", subscription.id))
}

/// What the API is asked for. What was left empty asks for nothing.
fn body(form: &Form, old: Option<&FilterRow>) -> Result<Value, Problem> {
    let mut body = json!({});
    values::write(&mut body, &FIELDS, |name| form.text(name))?;
    let Some(fields) = body.as_object_mut() else { return Ok(body) };
    for (_, conditions) in fields.iter_mut().filter(|(name, value)| SCOPES.contains(&name.as_str()) && value.is_null())
    {
        *conditions = json!({});
    }
    let is_enabled = fields.remove("is_enabled") == Some(Value::Bool(true));
    if !is_enabled {
        fields.insert("enabled_at".into(), Value::Null);
    } else if let Some(since) = old.and_then(|old| old.enabled_at) {
        fields.insert("enabled_at".into(), json!(since));
    } else if old.is_some() {
        fields.insert("enabled_at".into(), json!(chrono::Utc::now()));
    }
    Ok(body)
}

fn form_of(subscription: &Subscription, filter: Option<FilterId>, values: Values) -> FilterForm {
    FilterForm {
        subscription: (subscription.id.to_string(), subscription.name.clone()),
        id: filter.map(|id| id.to_string()),
        values,
        problem: None,
    }
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, subscription) = of(req, depot).await?;
    let values = Values::default().with("is_enabled", "true");
    Ok(page(pages::page(visit.frame(), &form_of(&subscription, None, values))))
}

fn again(
    visit: &ProjectVisit,
    (subscription, filter): (&Subscription, Option<FilterId>),
    (form, problem): (&Form, Problem),
) -> Answer {
    let values = Values::typed(&FIELDS, |name| form.text(name), &Values::default());
    let view = FilterForm { problem: Some(problem), ..form_of(subscription, filter, values) };
    Answer::Again(pages::page(visit.frame(), &view))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, subscription) = of(req, depot).await?;
    let form = Form::of(depot);
    let body = match body(&form, None) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, (&subscription, None), (&form, problem))),
    };
    if form.text("event_type").trim().is_empty() {
        let problem = Problem { field: "event_type".into(), text: "please say which event type it is for".into() };
        return Ok(again(&visit, (&subscription, None), (&form, problem)));
    }
    let done = visit.run(create_filter, visit.on(&on(&subscription, None)).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => {
            let problem = Problem::within(&problem.text, &FIELDS);
            again(&visit, (&subscription, None), (&form, problem))
        }
        None => said(back(&visit, &subscription), &done, "The filter is made."),
    })
}

/// The form with what is.
#[handler]
#[boxed]
pub async fn edit(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, subscription) = of(req, depot).await?;
    let row = find(req, (&visit, &subscription)).await?;
    let mut document = json!({"event_type": row.event_type, "is_enabled": row.enabled_at.is_some()});
    if let Some(fields) = document.as_object_mut() {
        let asked =
            scopes(&row).into_iter().filter(|(_, conditions)| conditions.as_object().is_some_and(|of| !of.is_empty()));
        fields.extend(asked.map(|(name, conditions)| (name.to_string(), conditions.clone())));
    }
    let view = form_of(&subscription, Some(row.id), Values::of(&FIELDS, &document));
    Ok(page(pages::page(visit.frame(), &view)))
}

/// Changes it.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, subscription) = of(req, depot).await?;
    let row = find(req, (&visit, &subscription)).await?;
    let form = Form::of(depot);
    let own = (&subscription, Some(row.id));
    let body = match body(&form, Some(&row)) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, own, (&form, problem))),
    };
    let done = visit.run(update_filter, visit.on(&on(&subscription, Some(row.id))).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => again(&visit, own, (&form, Problem::within(&problem.text, &FIELDS))),
        None => said(back(&visit, &subscription), &done, "The filter is changed."),
    })
}

/// Deletes it.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, subscription) = of(req, depot).await?;
    let row = find(req, (&visit, &subscription)).await?;
    let done = visit.run(delete_filter, visit.on(&on(&subscription, Some(row.id)))).await?;
    Ok(said(back(&visit, &subscription), &done, "The filter is deleted."))
}
