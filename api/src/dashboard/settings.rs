//! Settings of a project, its keys, and its end.

use posthouse_pages::{
    form::Problem,
    frame::Place,
    settings::{self as pages, FIELDS, SWITCHES, Settings},
};
use posthouse_schema::{project::Project, words::RetryStrategy};
use salvo::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, PageResult, Redirection},
    form::Form,
    visit::{ProjectVisit, page, said},
};
use crate::{
    auth::Need,
    projects::{delete_project, regenerate_key, update_project},
};

/// The routes below a project.
pub fn router() -> Router {
    Router::with_path("settings")
        .get(show)
        .post(save)
        .push(Router::with_path("regenerate-key").post(regenerate))
        .push(Router::with_path("delete").post(delete))
}

/// Shows them.
#[handler]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::View).await?;
    // Read anew: a form that shows what was some seconds ago would put it back.
    let row = Project::find(&mut *visit.conn().await?, visit.id()).await?;
    let project = row.unwrap_or_else(|| visit.project.as_ref().clone());
    let config = &project.config;
    let view = Settings {
        values: [
            project.name.clone(),
            config.strategy.strategy.to_string(),
            config.strategy.duration.to_string(),
            config.strategy.retry_count.to_string(),
            config.ratelimit.count.to_string(),
            config.ratelimit.duration.to_string(),
        ],
        switches: [config.multiple_endpoint_subscriptions, config.disable_endpoint, config.add_event_id_trace_headers],
        problem: None,
        kind: project.kind.to_string(),
        is_custom: config.strategy.strategy == RetryStrategy::Custom,
    };
    Ok(page(pages::page(visit.frame(), &view)))
}

/// Changes them.
#[handler]
pub async fn save(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let form = Form::of(depot);
    let is_custom = visit.project.config.strategy.strategy == RetryStrategy::Custom;
    let again = |problem: Problem| {
        let view = Settings {
            values: FIELDS.map(|field| form.text(field).to_string()),
            switches: SWITCHES.map(|(name, _)| !form.text(name).is_empty()),
            problem: Some(problem),
            kind: visit.project.kind.to_string(),
            is_custom,
        };
        Answer::Again(pages::page(visit.frame(), &view))
    };
    let body = match body(&form, is_custom) {
        Ok(body) => body,
        Err(problem) => return Ok(again(problem)),
    };
    let done = visit.run(update_project, visit.on(&[]).with_body(body)).await?;
    Ok(match done.problem(&FIELDS) {
        Some(problem) => again(problem),
        None => said(visit.path("/settings"), &done, "The settings are changed."),
    })
}

/// What the API is asked for. Numbers that were left empty stay what they are.
fn body(form: &Form, is_custom: bool) -> Result<Value, Problem> {
    let number = |field: &str| match form.text(field).trim() {
        "" => Ok(Value::Null),
        text => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| Problem { field: field.into(), text: "a whole number is expected".into() }),
    };
    let mut config: Map<String, Value> =
        SWITCHES.iter().map(|(name, _)| ((*name).to_string(), Value::Bool(!form.text(name).is_empty()))).collect();
    config.insert(
        "ratelimit".into(),
        json!({"count": number("ratelimit_count")?, "duration": number("ratelimit_duration")?}),
    );
    if !is_custom {
        config.insert(
            "strategy".into(),
            json!({"type": form.text("strategy"), "duration": number("duration")?, "retry_count": number("retry_count")?}),
        );
    }
    Ok(json!({"name": form.text("name"), "config": config}))
}

/// Replaces all keys by a new one, which is shown once.
#[handler]
pub async fn regenerate(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let done = visit.run(regenerate_key, visit.on(&[])).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(visit.path("/settings"), &done, ""));
    }
    Ok(page(pages::new_key(visit.frame(), &done.text("/key"))))
}

/// Deletes the project.
#[handler]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let done = visit.run(delete_project, visit.on(&[])).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(visit.path("/settings"), &done, ""));
    }
    Ok(Redirection::to("/projects").saying(true, "The project is deleted.").into())
}
