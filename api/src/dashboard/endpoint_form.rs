//! Making and changing an endpoint by a form.

use posthouse_pages::{
    endpoint_form::{self as pages, EndpointForm, FIELDS},
    form::Problem,
    frame::Place,
};
use posthouse_schema::{endpoint::Endpoint, ids::EndpointId};
use salvo::prelude::*;
use serde_json::{Map, Value};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    visit::{ProjectVisit, id, page},
};
use crate::{
    auth::Need,
    endpoints::{create_endpoint, get_endpoint, update_endpoint},
};

/// Fields that are numbers.
const NUMBERS: [&str; 3] = ["http_timeout", "rate_limit", "rate_limit_duration"];

/// The form for a new one.
#[handler]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    Ok(page(pages::page(visit.frame(), &EndpointForm::default())))
}

/// Makes one.
#[handler]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let form = Form::of(depot);
    let body = match body(&form) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, None, &form, problem)),
    };
    let done = visit.run(create_endpoint, visit.on(&[]).with_body(Value::Object(body))).await?;
    if let Some(problem) = done.problem(&FIELDS) {
        return Ok(again(&visit, None, &form, problem));
    }
    let to = visit.path(&format!("/endpoints/{}", done.text("/uid")));
    Ok(Redirection::to(to)
        .saying(true, "The endpoint is made. It receives nothing until it has a subscription.")
        .into())
}

/// The form with what is.
#[handler]
pub async fn edit(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let endpoint_id: EndpointId = id(req, "endpoint_id")?;
    let row = Endpoint::find(&mut *visit.conn().await?, visit.id(), endpoint_id).await?;
    let row = row.ok_or_else(PageError::not_found)?;
    let values = [
        row.name,
        row.url,
        row.description,
        row.owner_id,
        row.http_timeout_seconds.to_string(),
        row.rate_limit.to_string(),
        row.rate_limit_duration_seconds.to_string(),
        row.content_type,
        row.support_email,
    ];
    let view = EndpointForm { id: Some(endpoint_id.to_string()), values, problem: None };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// Changes it.
#[handler]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let endpoint_id: EndpointId = id(req, "endpoint_id")?;
    let (form, on) = (Form::of(depot), [("endpoint_id", endpoint_id.to_string())]);
    let mut body = match body(&form) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, Some(endpoint_id), &form, problem)),
    };
    // A change replaces how requests authenticate; hidden credentials that come back stay as they are.
    let old = visit.run(get_endpoint, visit.on(&on)).await?;
    if !old.code.is_success() {
        return Err(PageError::not_found());
    }
    if let Some(authentication) = old.data.get("authentication").filter(|value| !value.is_null()) {
        body.insert("authentication".into(), authentication.clone());
    }
    let done = visit.run(update_endpoint, visit.on(&on).with_body(Value::Object(body))).await?;
    if let Some(problem) = done.problem(&FIELDS) {
        return Ok(again(&visit, Some(endpoint_id), &form, problem));
    }
    Ok(Redirection::to(visit.path(&format!("/endpoints/{endpoint_id}")))
        .saying(true, "The endpoint is changed.")
        .into())
}

/// What the API is asked for. Numbers that were left empty keep what they are.
fn body(form: &Form) -> Result<Map<String, Value>, Problem> {
    let mut body = Map::new();
    for field in FIELDS {
        let text = form.text(field).trim();
        if field == "content_type" && text.is_empty() {
            continue; // The API's own choice.
        }
        if !NUMBERS.contains(&field) {
            body.insert(field.into(), text.into());
        } else if !text.is_empty() {
            let number: i64 =
                text.parse().map_err(|_| Problem { field: field.into(), text: "a whole number is expected".into() })?;
            body.insert(field.into(), number.into());
        }
    }
    Ok(body)
}

fn again(visit: &ProjectVisit, id: Option<EndpointId>, form: &Form, problem: Problem) -> Answer {
    let values = FIELDS.map(|field| form.text(field).to_string());
    let view = EndpointForm { id: id.map(|id| id.to_string()), values, problem: Some(problem) };
    Answer::Again(pages::page(visit.frame(), &view))
}
