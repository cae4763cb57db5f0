//! Subscriptions: the list, and one with a form that is tried on recent events.

use chrono::TimeDelta;
use posthouse_boxed::boxed;
use posthouse_filter::{Filter, Scopes};
use posthouse_pages::{
    form::Problem,
    frame::Place,
    retries::OF_SUBSCRIPTION,
    subscription::{self as pages, FIELDS, Outcome, SubscriptionForm, Trial, TriedEvent, TriedFunction},
    subscriptions::{self as list_page, SubscriptionLine, SubscriptionList},
    values::{self, Values},
};
use posthouse_schema::{
    endpoint::{Endpoint, EndpointFilter},
    event::{self, Event, EventFilter},
    filter::EVERY_TYPE,
    ids::{EndpointId, EventId, SourceId, SubscriptionId},
    page::{Direction, PageRequest, Sort},
    source::{Source, SourceFilter},
    subscription::{Subscription, SubscriptionFilter},
};
use salvo::prelude::*;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    filters,
    form::Form,
    operation::Done,
    query,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    functions::test_subscription_function,
    subscriptions::{create_subscription, delete_subscription, update_subscription},
};

/// Endpoints and sources to choose from.
const CHOICES_MAX: u32 = 500;
/// Events of a trial, and how old they may be.
const TRIED_MAX: u32 = 20;
const TRIED_SINCE: TimeDelta = TimeDelta::days(7);
/// The parts of an event that are asked, in the order of the form's fields.
const SCOPES: [&str; 4] = ["body", "headers", "query", "path"];

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("subscriptions").get(list).push(Router::with_path("new").get(new).post(create)).push(
        Router::with_path("{subscription_id}")
            .get(show)
            .post(update)
            .push(Router::with_path("delete").post(delete))
            .push(filters::router()),
    )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, Need::View).await?;
    query::complete(req);
    let filter = SubscriptionFilter { endpoint_ids: Vec::new(), name_part: crate::query::text(req, "name")? };
    let request = query::page::<SubscriptionId>(req)?;
    let mut conn = visit.conn().await?;
    let found = Subscription::list(&mut conn, visit.id(), &filter, &request).await?;
    let pager =
        query::pager(visit.path("/subscriptions"), query::kept(req, &["name"]), &found, |row| row.id.to_string());
    let endpoint_ids: Vec<EndpointId> = found.rows.iter().map(|row| row.endpoint_id).collect();
    let source_ids: Vec<SourceId> = found.rows.iter().filter_map(|row| row.source_id).collect();
    let endpoints = Endpoint::find_many(&mut conn, visit.id(), &endpoint_ids).await?;
    let sources =
        if source_ids.is_empty() { Vec::new() } else { Source::find_many(&mut conn, visit.id(), &source_ids).await? };
    drop(conn);
    let line = |row: Subscription| {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == row.endpoint_id);
        let source = sources.iter().find(|source| Some(source.id) == row.source_id);
        SubscriptionLine {
            id: row.id.to_string(),
            name: row.name,
            endpoint: (
                row.endpoint_id.to_string(),
                endpoint.map_or_else(|| row.endpoint_id.to_string(), |endpoint| endpoint.name.clone()),
            ),
            source: source.map(|source| source.name.clone()).unwrap_or_default(),
            event_types: row.event_types.0,
            has_filter: row.filter.is_some(),
            has_function: row.function.is_some(),
            created_at: row.created_at,
        }
    };
    let rows = found.rows.into_iter().map(line).collect();
    let view = SubscriptionList { name_part: filter.name_part.unwrap_or_default(), rows, pager };
    Ok(page(list_page::page(visit.frame(), &view)))
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, Need::Manage).await?;
    let mut view = choices(&visit).await?;
    let [_, endpoint, ..] = &mut view.values;
    *endpoint = query::text(req, "endpointId");
    Ok(page(pages::page(visit.frame(), &view)))
}

/// A form without values.
async fn choices(visit: &ProjectVisit) -> Result<SubscriptionForm, PageError> {
    let mut conn = visit.conn().await?;
    let endpoints = Endpoint::list(&mut conn, visit.id(), &EndpointFilter::default(), &newest::<EndpointId>()).await?;
    let sources = Source::list(&mut conn, visit.id(), &SourceFilter::default(), &newest::<SourceId>()).await?;
    Ok(SubscriptionForm {
        endpoints: endpoints.rows.into_iter().map(|row| (row.id.to_string(), row.name)).collect(),
        sources: sources.rows.into_iter().map(|row| (row.id.to_string(), row.name)).collect(),
        ..SubscriptionForm::default()
    })
}

const fn newest<Id>() -> PageRequest<Id> {
    PageRequest { per_page: CHOICES_MAX, sort: Sort::Descending, direction: Direction::Next, cursor: None }
}

/// The form with what is.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, Need::View).await?;
    let row = find(req, &visit).await?;
    let mut view = choices(&visit).await?;
    view.filters = filters::lines(&visit, row.id).await?;
    view.retries = Values::of(&OF_SUBSCRIPTION, &json!({"retry_config": row.retry_config}));
    let scope = |name: &str| {
        let conditions = row.filter.as_ref().and_then(|filter| filter.get(name));
        conditions
            .filter(|value| value.as_object().is_some_and(|object| !object.is_empty()))
            .map_or_else(String::new, pretty)
    };
    view.values = [
        row.name,
        row.endpoint_id.to_string(),
        row.source_id.map(|id| id.to_string()).unwrap_or_default(),
        row.event_types.0.join("\n"),
        scope("body"),
        scope("headers"),
        scope("query"),
        scope("path"),
        row.function.unwrap_or_default(),
    ];
    view.id = Some(row.id.to_string());
    Ok(page(pages::page(visit.frame(), &view)))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

async fn find(req: &Request, visit: &ProjectVisit) -> Result<Subscription, PageError> {
    let id: SubscriptionId = id(req, "subscription_id")?;
    Subscription::find(&mut *visit.conn().await?, visit.id(), id).await?.ok_or_else(PageError::not_found)
}

/// Makes one, or tries what stands in the form.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let need = if form.text("do") == "try" { Need::View } else { Need::Manage };
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, need).await?;
    let asked = match Asked::read(&form) {
        Ok(asked) => asked,
        Err(problem) => return again(&visit, None, &form, problem).await,
    };
    if need == Need::View {
        return tried(&visit, None, (&form, &asked)).await;
    }
    let done = visit.run(create_subscription, visit.on(&[]).with_body(asked.body(&form))).await?;
    match problem_of(&done) {
        Some(problem) => again(&visit, None, &form, problem).await,
        None => {
            Ok(said(visit.path(&format!("/subscriptions/{}", done.text("/uid"))), &done, "The subscription is made."))
        }
    }
}

/// Changes it, or tries what stands in the form.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let form = Form::of(depot);
    let need = if form.text("do") == "try" { Need::View } else { Need::Manage };
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, need).await?;
    let row = find(req, &visit).await?;
    let asked = match Asked::read(&form) {
        Ok(asked) => asked,
        Err(problem) => return again(&visit, Some(row.id), &form, problem).await,
    };
    if need == Need::View {
        return tried(&visit, Some(row.id), (&form, &asked)).await;
    }
    let on = [("subscription_id", row.id.to_string())];
    let done = visit.run(update_subscription, visit.on(&on).with_body(asked.body(&form))).await?;
    match problem_of(&done) {
        Some(problem) => again(&visit, Some(row.id), &form, problem).await,
        None => Ok(said(visit.path(&format!("/subscriptions/{}", row.id)), &done, "The subscription is changed.")),
    }
}

/// Deletes it.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Subscriptions, Need::Manage).await?;
    let row = find(req, &visit).await?;
    let done = visit.run(delete_subscription, visit.on(&[("subscription_id", row.id.to_string())])).await?;
    let to = visit.path("/subscriptions");
    Ok(match done.problem(&[]) {
        Some(problem) => Redirection::to(to).saying(false, problem.text).into(),
        None => Redirection::to(to).saying(true, "The subscription is deleted.").into(),
    })
}

/// What a form asks of events.
struct Asked {
    event_types: Vec<String>,
    scopes: Scopes<Value>,
    /// `{"retry_config"}`, or nothing where the project's retries hold.
    retries: Value,
}

impl Asked {
    /// Reads the form's own parts; everything else is the API's to check.
    fn read(form: &Form) -> Result<Self, Problem> {
        let scope = |name: &'static str| match form.text(name).trim() {
            "" => Ok(json!({})),
            text => serde_json::from_str::<Map<String, Value>>(text)
                .map(Value::Object)
                .map_err(|error| Problem { field: name.into(), text: format!("a JSON object is expected: {error}") }),
        };
        let [body, headers, query, path] = SCOPES.map(scope);
        let types: Vec<String> = form
            .text("event_types")
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_string)
            .collect();
        let event_types = if types.is_empty() { vec![EVERY_TYPE.to_string()] } else { types };
        let scopes = Scopes { headers: headers?, body: body?, query: query?, path: path? };
        Ok(Self { event_types, scopes, retries: retries(form)? })
    }

    /// What the API is asked for.
    fn body(&self, form: &Form) -> Value {
        let Scopes { headers, body, query, path } = &self.scopes;
        let mut asked = json!({
            "name": form.text("name").trim(),
            "endpoint_id": form.text("endpoint_id"),
            "source_id": form.text("source_id"),
            "function": form.text("function"),
            "filter_config": {
                "event_types": self.event_types,
                "filter": {"headers": headers, "body": body, "query": query, "path": path},
            },
        });
        if let (Some(asked), Some(retries)) = (asked.as_object_mut(), self.retries.as_object()) {
            asked.extend(retries.clone());
        }
        asked
    }

    fn outcome(&self, filter: &Filter, event: &Event) -> Outcome {
        if !self.event_types.iter().any(|wanted| *wanted == EVERY_TYPE || *wanted == event.event_type) {
            return Outcome::OtherType;
        }
        let body = match serde_json::from_slice(&event.payload) {
            Ok(body) => body,
            Err(error) => return Outcome::Unreadable(error.to_string()),
        };
        let query = url::form_urlencoded::parse(event.url_query_params.as_bytes()).into_owned();
        match filter.matches(Scopes::of_event(&event.headers.0, body, query, &event.url_path).as_ref()) {
            Ok(true) => Outcome::Passes,
            Ok(false) => Outcome::KeptBack,
            Err(error) => Outcome::Unreadable(error.to_string()),
        }
    }
}

/// What a form says of retries, without what was left empty.
fn retries(form: &Form) -> Result<Value, Problem> {
    if form.text("retry_config.type").is_empty() {
        return Ok(Value::Null);
    }
    let mut retries = json!({});
    values::write(&mut retries, &OF_SUBSCRIPTION, |name| form.text(name))?;
    if let Some(policy) = retries.get_mut("retry_config").and_then(Value::as_object_mut) {
        policy.retain(|_, value| !value.is_null());
    }
    Ok(retries)
}

/// What was wrong, by field.
fn problem_of(done: &Done) -> Option<Problem> {
    let problem = done.problem(&FIELDS)?;
    Some(if problem.field.is_empty() { Problem::within(&problem.text, &OF_SUBSCRIPTION) } else { problem })
}

async fn filled(visit: &ProjectVisit, id: Option<SubscriptionId>, form: &Form) -> Result<SubscriptionForm, PageError> {
    let mut view = choices(visit).await?;
    view.values = FIELDS.map(|field| form.text(field).to_string());
    view.retries = Values::typed(&OF_SUBSCRIPTION, |name| form.text(name), &Values::default());
    if let Some(id) = id {
        view.filters = filters::lines(visit, id).await?;
        view.id = Some(id.to_string());
    }
    Ok(view)
}

async fn again(visit: &ProjectVisit, id: Option<SubscriptionId>, form: &Form, problem: Problem) -> PageResult {
    let view = SubscriptionForm { problem: Some(problem), ..filled(visit, id, form).await? };
    Ok(Answer::Again(pages::page(visit.frame(), &view)))
}

/// What the newest events would come to by what stands in the form.
async fn tried(visit: &ProjectVisit, id: Option<SubscriptionId>, (form, asked): (&Form, &Asked)) -> PageResult {
    let filter = match Filter::compile(asked.scopes.as_ref()) {
        Ok(filter) => filter,
        Err(error) => {
            let problem = Problem { field: String::new(), text: error.to_string() };
            return again(visit, id, form, problem).await;
        }
    };
    let newest = PageRequest {
        per_page: TRIED_MAX,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<EventId>,
    };
    let since = EventFilter { from: Some(visit.frame().now - TRIED_SINCE), ..EventFilter::default() };
    let events = event::list(&mut *visit.conn().await?, visit.id(), &since, &newest).await?.rows;
    let outcomes: Vec<Outcome> = events.iter().map(|event| asked.outcome(&filter, event)).collect();
    let passing = events.iter().zip(&outcomes).find(|(_, outcome)| **outcome == Outcome::Passes);
    let function = match passing.filter(|_| !form.text("function").trim().is_empty()) {
        Some((event, _)) => Some(run(visit, form.text("function"), event).await?),
        None => None,
    };
    let lines = events.iter().zip(outcomes).map(|(event, outcome)| TriedEvent {
        id: event.id.to_string(),
        event_type: event.event_type.clone(),
        at: event.acknowledged_at,
        outcome,
    });
    let trial = Some(Trial { events: lines.collect(), function });
    Ok(page(pages::page(visit.frame(), &SubscriptionForm { trial, ..filled(visit, id, form).await? })))
}

/// Runs a function on an event's data, byte for byte as a worker would.
async fn run(visit: &ProjectVisit, function: &str, event: &Event) -> Result<TriedFunction, PageError> {
    #[derive(serde::Serialize)]
    struct Body<'b> {
        function: &'b str,
        payload: &'b RawValue,
    }
    let event_id = event.id.to_string();
    let Ok(payload) = serde_json::from_slice::<&RawValue>(&event.payload) else {
        let payload = Err("The data is no JSON.".into());
        return Ok(TriedFunction { event_id, payload, log: Vec::new() });
    };
    let body = serde_json::to_string(&Body { function, payload }).unwrap_or_default();
    let done = visit.run(test_subscription_function, visit.on(&[]).with_text(body)).await?;
    let log = done.data.get("log").and_then(Value::as_array).into_iter().flatten();
    let log = log.filter_map(Value::as_str).map(str::to_string).collect();
    let payload = match done.problem(&[]) {
        Some(problem) => Err(problem.text),
        None => Ok(done.data.get("payload").map(Value::to_string).unwrap_or_default()),
    };
    Ok(TriedFunction { event_id, payload, log })
}
