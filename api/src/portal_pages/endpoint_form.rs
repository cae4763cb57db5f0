//! Making and changing an endpoint by a form.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    portal::{
        endpoint_form::{self as pages, EndpointForm, FIELDS},
        frame::PortalPlace,
    },
};
use salvo::prelude::*;
use serde_json::{Map, Value};

use super::{
    answer::{Answer, PageError, PageResult},
    endpoint::find,
    visit::{Visit, on, page, part},
};
use crate::{
    dashboard::{Form, Operation},
    endpoints::{create_endpoint, update_endpoint},
    error::ApiError,
};

/// Fields that are numbers.
const NUMBERS: [&str; 3] = ["http_timeout", "rate_limit", "rate_limit_duration"];

/// Refuses who may not do it before they fill anything in. The operations refuse them as well.
fn permitted(is_allowed: bool) -> Result<(), PageError> {
    if is_allowed { Ok(()) } else { Err(ApiError::Forbidden("Unauthorized").into()) }
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    permitted(visit.frame.can_make)?;
    Ok(page(pages::page(&visit.at(PortalPlace::Endpoints), &EndpointForm::default())))
}

/// Makes one; then its events are chosen.
#[handler]
#[boxed]
pub async fn create(depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let body = match body(&visit, &form) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, None, &form, problem)),
    };
    match visit.change(create_endpoint, Operation::default().with_body(Value::Object(body))).await? {
        Ok(made) => {
            let id = made.get("uid").and_then(Value::as_str).unwrap_or_default();
            Ok(visit.done(&format!("/endpoints/{id}/events/new"), &[], "endpoint-made"))
        }
        Err(why) => Ok(again(&visit, None, &form, Problem::of(&why, &FIELDS))),
    }
}

/// The form with what is.
#[handler]
#[boxed]
pub async fn edit(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    permitted(visit.frame.can_manage)?;
    let row = find(&visit, &part(req, "endpoint_id")).await?;
    let given = |number: i64| if number == 0 { String::new() } else { number.to_string() };
    let values = [
        row.name,
        row.url,
        row.description,
        given(row.http_timeout),
        given(row.rate_limit),
        given(row.rate_limit_duration),
        row.support_email,
    ];
    let view = EndpointForm { id: Some(row.uid), values, problem: None };
    Ok(page(pages::page(&visit.at(PortalPlace::Endpoints), &view)))
}

/// Changes it.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    permitted(visit.frame.can_manage)?;
    let id = part(req, "endpoint_id");
    let mut body = match body(&visit, &form) {
        Ok(body) => body,
        Err(problem) => return Ok(again(&visit, Some(id), &form, problem)),
    };
    // A change replaces these, which the form does not have. Hidden credentials that come back stay as they are.
    let old = find(&visit, &id).await?;
    body.insert("content_type".into(), old.content_type.into());
    if let Some(authentication) = old.authentication.filter(|value| !value.is_null()) {
        body.insert("authentication".into(), authentication);
    }
    let operation = on("endpoint_id", &id).with_body(Value::Object(body));
    match visit.change(update_endpoint, operation).await? {
        Ok(_) => Ok(visit.done(&format!("/endpoints/{id}"), &[], "endpoint-changed")),
        Err(why) => Ok(again(&visit, Some(id), &form, Problem::of(&why, &FIELDS))),
    }
}

/// What the operation is asked. Numbers that were left empty are left to it.
fn body(visit: &Visit, form: &Form) -> Result<Map<String, Value>, Problem> {
    let mut body = Map::new();
    for field in FIELDS {
        let text = form.text(field).trim();
        if !NUMBERS.contains(&field) {
            body.insert(field.into(), text.into());
        } else if !text.is_empty() {
            let wrong = |_| Problem { field: field.into(), text: visit.strings().number_expected.clone() };
            body.insert(field.into(), text.parse::<i64>().map_err(wrong)?.into());
        }
    }
    Ok(body)
}

fn again(visit: &Visit, id: Option<String>, form: &Form, problem: Problem) -> Answer {
    let values = FIELDS.map(|field| form.text(field).to_string());
    let view = EndpointForm { id, values, problem: Some(problem) };
    Answer::Again(pages::page(&visit.at(PortalPlace::Endpoints), &view))
}
