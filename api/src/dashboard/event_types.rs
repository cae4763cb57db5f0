//! Event types: the catalogue, one of them, and the import of an OpenAPI document.

use posthouse_boxed::boxed;
use posthouse_pages::{
    event_types::{self as pages, EventTypeLine, EventTypeList, EventTypeView, FIELDS},
    form::Problem,
    frame::Place,
    values::{self, Values},
};
use posthouse_schema::{event_type::EventType, ids::EventTypeId};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult},
    form::Form,
    query,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    event_types::{create_event_type, deprecate_event_type, import_openapi, update_event_type},
};

/// Event types that are read, and of them those that a page shows.
const READ_MAX: i64 = 5_000;
const SHOWN_MAX: usize = 500;

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("event-types")
        .get(list)
        .push(Router::with_path("new").get(new).post(create))
        .push(Router::with_path("import").get(ask_import).post(import))
        .push(
            Router::with_path("{event_type_id}")
                .get(show)
                .post(update)
                .push(Router::with_path("deprecate").post(deprecate)),
        )
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::View).await?;
    let part = query::text(req, "q");
    let sought = part.trim().to_lowercase();
    let rows = EventType::list(&mut *visit.conn().await?, visit.id(), READ_MAX).await?;
    let is_sought = |row: &EventType| {
        [&row.name, &row.category, &row.description].iter().any(|text| text.to_lowercase().contains(&sought))
    };
    let mut found: Vec<EventType> = rows.into_iter().filter(is_sought).collect();
    found.sort_by(|one, other| (&one.category, &one.name).cmp(&(&other.category, &other.name)));
    let has_more = found.len() > SHOWN_MAX;
    found.truncate(SHOWN_MAX);
    let line = |row: EventType| EventTypeLine {
        id: row.id.to_string(),
        name: row.name,
        category: row.category,
        description: row.description,
        has_schema: row.json_schema.is_some(),
        deprecated_at: row.deprecated_at,
    };
    let view = EventTypeList { part, rows: found.into_iter().map(line).collect(), has_more };
    Ok(page(pages::list(visit.frame(), &view)))
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    Ok(page(pages::one(visit.frame(), &EventTypeView::default())))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    let form = Form::of(depot);
    let typed = || Values::typed(&FIELDS, |name| form.text(name), &Values::default());
    let again = |problem| {
        let view = EventTypeView { values: typed(), problem: Some(problem), ..EventTypeView::default() };
        Answer::Again(pages::one(visit.frame(), &view))
    };
    let mut body = json!({});
    if let Err(problem) = values::write(&mut body, &FIELDS, |name| form.text(name)) {
        return Ok(again(problem));
    }
    let done = visit.run(create_event_type, visit.on(&[]).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => again(Problem::within(&problem.text, &FIELDS)),
        None => said(own(&visit, &done.text("/uid")), &done, "The event type is in the catalogue."),
    })
}

fn own(visit: &ProjectVisit, id: &str) -> String {
    visit.path(&format!("/event-types/{id}"))
}

async fn find(req: &Request, visit: &ProjectVisit) -> Result<EventType, PageError> {
    let id: EventTypeId = id(req, "event_type_id")?;
    EventType::find(&mut *visit.conn().await?, visit.id(), id).await?.ok_or_else(PageError::not_found)
}

fn view(row: &EventType) -> EventTypeView {
    let document = json!({
        "name": row.name, "category": row.category, "description": row.description, "json_schema": row.json_schema,
    });
    EventTypeView {
        id: Some(row.id.to_string()),
        values: Values::of(&FIELDS, &document),
        problem: None,
        deprecated_at: row.deprecated_at,
        schema: row.json_schema.as_ref().map(Value::to_string),
    }
}

/// Shows one.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::View).await?;
    let row = find(req, &visit).await?;
    Ok(page(pages::one(visit.frame(), &view(&row))))
}

/// Changes it: everything but its name.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    let (form, row) = (Form::of(depot), find(req, &visit).await?);
    let changed = FIELDS.get(1..).unwrap_or_default();
    let again = |problem| {
        let values = Values::typed(changed, |name| form.text(name), &Values::default()).with("name", row.name.as_str());
        Answer::Again(pages::one(visit.frame(), &EventTypeView { values, problem: Some(problem), ..view(&row) }))
    };
    let mut body = json!({});
    if let Err(problem) = values::write(&mut body, changed, |name| form.text(name)) {
        return Ok(again(problem));
    }
    // What is missing stays: a schema that was taken out of the form is one that lets everything through.
    let is_emptied = row.json_schema.is_some() && body.get("json_schema").is_some_and(Value::is_null);
    if is_emptied && let Some(fields) = body.as_object_mut() {
        fields.insert("json_schema".into(), json!({}));
    }
    let on = [("event_type_id", row.id.to_string())];
    let done = visit.run(update_event_type, visit.on(&on).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => again(Problem::within(&problem.text, changed)),
        None => said(own(&visit, &row.id.to_string()), &done, "The event type is changed."),
    })
}

/// Marks it as one that should no longer be used.
#[handler]
#[boxed]
pub async fn deprecate(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    let row = find(req, &visit).await?;
    let done = visit.run(deprecate_event_type, visit.on(&[("event_type_id", row.id.to_string())])).await?;
    Ok(said(own(&visit, &row.id.to_string()), &done, "The event type is deprecated."))
}

/// Asks for the document.
#[handler]
#[boxed]
pub async fn ask_import(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    Ok(page(pages::import(visit.frame(), ("", None))))
}

/// Takes the event types that a document describes.
#[handler]
#[boxed]
pub async fn import(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::EventTypes, Need::Manage).await?;
    let form = Form::of(depot);
    let spec = form.text("spec");
    let done = visit.run(import_openapi, visit.on(&[]).with_body(json!({"spec": spec}))).await?;
    let number = done.data.as_array().map_or(0, Vec::len);
    Ok(match done.problem(&["spec"]) {
        Some(problem) => Answer::Again(pages::import(visit.frame(), (spec, Some(&problem)))),
        None => said(visit.path("/event-types"), &done, &format!("{number} event types are in the catalogue.")),
    })
}
