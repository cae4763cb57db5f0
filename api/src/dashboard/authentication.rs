//! How the requests to an endpoint authenticate: chosen, changed, and tried where a token is asked for.

use posthouse_boxed::boxed;
use posthouse_pages::{
    authentication::{self as pages, AuthenticationForm, Way},
    form::Problem,
    frame::Place,
    values::{self, Values},
};
use posthouse_schema::endpoint::Endpoint;
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult},
    endpoint_form,
    form::Form,
    query,
    visit::{ProjectVisit, page, said},
};
use crate::{
    auth::Need,
    endpoints::{test_oauth2, update_endpoint},
};

/// The form of the way that is chosen, or of the one that is.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let row = endpoint_form::find(req, &visit).await?;
    let document = endpoint_form::document(&row)?;
    let way = Way::find(&query::text(req, "way")).unwrap_or_else(|| way_of(&document));
    let view = view(&row, way, Values::of(way.fields, &begin(&document, way)));
    Ok(page(pages::page(visit.frame(), &view)))
}

fn view(row: &Endpoint, way: &'static Way, values: Values) -> AuthenticationForm {
    AuthenticationForm {
        endpoint_id: row.id.to_string(),
        endpoint: row.name.clone(),
        way,
        values,
        problem: None,
        tried: None,
    }
}

fn way_of(document: &Value) -> &'static Way {
    let text = |place| document.pointer(place).and_then(Value::as_str).unwrap_or_default();
    Way::of(text("/authentication/type"), text("/authentication/oauth2/authentication_type"))
}

/// What a way is filled in over: what is stored, where it stays the same way.
fn begin(document: &Value, way: &Way) -> Value {
    let mut authentication = match document.get("authentication") {
        Some(stored) if way_of(document) == way => stored.clone(),
        _ => json!({}),
    };
    if let Some(fields) = authentication.as_object_mut() {
        fields.insert("type".into(), way.kind.into());
        if way.has_tokens() {
            let oauth2 = fields.entry("oauth2").or_insert_with(|| json!({}));
            if let Some(oauth2) = oauth2.as_object_mut() {
                oauth2.insert("authentication_type".into(), way.proof.into());
            }
        }
    }
    json!({ "authentication": authentication })
}

/// Changes it, or asks for a token by what stands in the form.
#[handler]
#[boxed]
pub async fn save(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Endpoints, Need::ManageEndpoints).await?;
    let (row, form) = (endpoint_form::find(req, &visit).await?, Form::of(depot));
    let way = Way::find(form.text("way")).ok_or_else(PageError::not_found)?;
    let mut body = endpoint_form::document(&row)?;
    let mut given = begin(&body, way);
    let typed = Values::typed(way.fields, |name| form.text(name), &Values::of(way.fields, &given));
    let view = view(&row, way, typed);
    let again = |problem| {
        let view = AuthenticationForm { problem: Some(problem), ..view.clone() };
        Answer::Again(pages::page(visit.frame(), &view))
    };
    if let Err(problem) = values::write(&mut given, way.fields, |name| form.text(name)) {
        return Ok(again(problem));
    }
    if form.text("do") == "try" && way.has_tokens() {
        let tried = visit.on(&[]).with_body(json!({"oauth2": given.pointer("/authentication/oauth2")}));
        let done = visit.run(test_oauth2, tried).await?;
        if let Some(problem) = done.problem(&[]) {
            return Ok(again(Problem::within(&problem.text, way.fields)));
        }
        let is_given = done.data.get("success").and_then(Value::as_bool) == Some(true);
        let tried = if is_given { Ok(done.text("/token_type")) } else { Err(done.text("/error")) };
        let view = AuthenticationForm { tried: Some(tried), ..view.clone() };
        return Ok(page(pages::page(visit.frame(), &view)));
    }
    if let Some(fields) = body.as_object_mut() {
        let chosen = given.get_mut("authentication").filter(|_| !way.kind.is_empty()).map(Value::take);
        let authentication = chosen.unwrap_or_default();
        fields.insert("authentication".into(), authentication);
        // Null keeps them where they are not set.
        fields.retain(|name, value| name == "authentication" || !value.is_null());
    }
    let on = [("endpoint_id", row.id.to_string())];
    let done = visit.run(update_endpoint, visit.on(&on).with_body(body)).await?;
    Ok(match done.problem(&[]) {
        Some(problem) => again(Problem::within(&problem.text, way.fields)),
        None => {
            let own = visit.path(&format!("/endpoints/{}", row.id));
            said(own, &done, "Requests authenticate so from now on.")
        }
    })
}
