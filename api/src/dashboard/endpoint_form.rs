//! Making and changing an endpoint by a form.

use posthouse_boxed::boxed;
use posthouse_pages::{
    endpoint_form::{self as pages, EndpointForm},
    field::Field,
    form::Problem,
    frame::Place,
    values::{self, Values},
};
use posthouse_schema::{endpoint::Endpoint, ids::EndpointId};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    visit::{ProjectVisit, id, page},
};
use crate::{
    auth::Need,
    endpoints::{create_endpoint, update_endpoint},
    error::ApiError,
};

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let values = Values::default().with("advanced_signatures", "true");
    Ok(page(pages::page(visit.frame(), &EndpointForm { values, ..EndpointForm::default() })))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let form = Form::of(depot);
    let fields = pages::fields(true);
    let again = |problem: Problem| {
        let values = Values::typed(&fields, |name| form.text(name), &Values::default());
        Answer::Again(pages::page(visit.frame(), &EndpointForm { id: None, values, problem: Some(problem) }))
    };
    let body = match body(&form, &fields, json!({})) {
        Ok(body) => body,
        Err(problem) => return Ok(again(problem)),
    };
    let done = visit.run(create_endpoint, visit.on(&[]).with_body(body)).await?;
    if let Some(problem) = done.problem(&[]) {
        return Ok(again(Problem::within(&problem.text, &fields)));
    }
    let to = visit.path(&format!("/endpoints/{}", done.text("/uid")));
    Ok(Redirection::to(to)
        .saying(true, "The endpoint is made. It receives nothing until it has a subscription.")
        .into())
}

/// The endpoint that the path names.
///
/// # Errors
/// 404 where there is none in the project.
pub async fn find(req: &Request, visit: &ProjectVisit) -> Result<Endpoint, PageError> {
    let endpoint_id: EndpointId = id(req, "endpoint_id")?;
    Endpoint::find(&mut *visit.conn().await?, visit.id(), endpoint_id).await?.ok_or_else(PageError::not_found)
}

/// An endpoint as the API is asked for it, with what it keeps secret: a change replaces all of it.
///
/// # Errors
/// 503 when a stored secret cannot be read.
pub fn document(row: &Endpoint) -> Result<Value, PageError> {
    let secret = |opened| ApiError::from(opened);
    Ok(json!({
        "name": row.name,
        "url": row.url,
        "description": row.description,
        "owner_id": row.owner_id,
        "http_timeout": row.http_timeout_seconds,
        "rate_limit": row.rate_limit,
        "rate_limit_duration": row.rate_limit_duration_seconds,
        "content_type": row.content_type,
        "support_email": row.support_email,
        "advanced_signatures": row.advanced_signatures,
        "follow_redirects": row.follow_redirects,
        "ordering": row.ordering,
        "slack_webhook_url": row.slack_webhook_url().map_err(secret)?,
        "teams_webhook_url": row.teams_webhook_url().map_err(secret)?,
        "mtls_client_cert": row.mtls_client_cert().map_err(secret)?,
        "authentication": row.authentication().map_err(secret)?,
    }))
}

/// The form with what is.
#[handler]
#[boxed]
pub async fn edit(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let row = find(req, &visit).await?;
    let values = Values::of(&pages::fields(false), &document(&row)?);
    let view = EndpointForm { id: Some(row.id.to_string()), values, problem: None };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// Changes it.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let (row, form) = (find(req, &visit).await?, Form::of(depot));
    let (fields, stored) = (pages::fields(false), document(&row)?);
    let again = |problem: Problem| {
        let values = Values::typed(&fields, |name| form.text(name), &Values::of(&fields, &stored));
        let view = EndpointForm { id: Some(row.id.to_string()), values, problem: Some(problem) };
        Answer::Again(pages::page(visit.frame(), &view))
    };
    let body = match body(&form, &fields, stored.clone()) {
        Ok(body) => body,
        Err(problem) => return Ok(again(problem)),
    };
    let on = [("endpoint_id", row.id.to_string())];
    let done = visit.run(update_endpoint, visit.on(&on).with_body(body)).await?;
    if let Some(problem) = done.problem(&[]) {
        return Ok(again(Problem::within(&problem.text, &fields)));
    }
    Ok(Redirection::to(visit.path(&format!("/endpoints/{}", row.id))).saying(true, "The endpoint is changed.").into())
}

/// What the API is asked for. Numbers that were left empty keep what they are.
fn body(form: &Form, fields: &[Field], mut document: Value) -> Result<Value, Problem> {
    let stored = document.clone();
    values::write(&mut document, fields, |name| form.text(name))?;
    let Some(body) = document.as_object_mut() else { return Ok(document) };
    for (name, value) in body.iter_mut().filter(|(_, value)| value.is_null()) {
        *value = stored.get(name).cloned().unwrap_or_default();
    }
    let of_ordering = body.get_mut("ordering").and_then(Value::as_object_mut);
    if let Some(ordering) = of_ordering
        && ordering.get("attempts").is_some_and(Value::is_null)
    {
        ordering.remove("attempts");
    }
    // Without a certificate its key is of no use; both empty take them away.
    if body.get("mtls_client_cert").is_some_and(|pair| pair.get("client_cert").is_none_or(|cert| cert == "")) {
        body.insert("mtls_client_cert".into(), json!({"client_cert": "", "client_key": ""}));
    }
    // What was not chosen is the API's own choice.
    body.retain(|name, value| value != "" || !["content_type", "secret_type", "secret"].contains(&name.as_str()));
    let is_set = stored.get("ordering").is_some_and(|ordering| !ordering.is_null());
    let is_chosen = |ordering: &Value| {
        let word = ordering.get("failing_head").and_then(Value::as_str).unwrap_or_default();
        !word.is_empty() && (is_set || word != "block")
    };
    body.retain(|name, value| name != "ordering" || is_chosen(value));
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_is_left_as_it_is() {
        let fields = pages::fields(false);
        let stored = json!({
            "name": "orders", "http_timeout": 7, "rate_limit": 3, "authentication": {"type": "api_key"},
            "mtls_client_cert": {"client_cert": "PEM", "client_key": "KEY"}, "slack_webhook_url": "https://hooks/x",
        });
        let form = Form::from_pairs(&[("name", "store"), ("mtls_client_cert.client_cert", "PEM")]);
        let body = body(&form, &fields, stored.clone()).unwrap();
        assert_eq!(
            (&body["name"], &body["http_timeout"], &body["rate_limit"]),
            (&json!("store"), &json!(7), &json!(3))
        );
        assert_eq!(body["mtls_client_cert"], stored["mtls_client_cert"]);
        assert_eq!(
            (&body["authentication"], &body["slack_webhook_url"]),
            (&json!({"type": "api_key"}), &json!("https://hooks/x"))
        );
        assert!(body.get("ordering").is_none() && body.get("content_type").is_none());
    }

    #[test]
    fn what_is_taken_away_goes() {
        let fields = pages::fields(false);
        let stored = json!({"mtls_client_cert": {"client_cert": "PEM", "client_key": "KEY"}, "slack_webhook_url": "u"});
        let form = Form::from_pairs(&[
            ("ordering.failing_head", "park"),
            ("ordering.attempts", "4"),
            ("slack_webhook_url.remove", "true"),
        ]);
        let body = body(&form, &fields, stored).unwrap();
        assert_eq!(body["mtls_client_cert"], json!({"client_cert": "", "client_key": ""}));
        assert_eq!(
            (&body["ordering"], &body["slack_webhook_url"]),
            (&json!({"failing_head": "park", "attempts": 4}), &json!(""))
        );
    }
}
