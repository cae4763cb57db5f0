//! Settings of a project, its keys, and its end.

use posthouse_boxed::boxed;
use posthouse_pages::{
    field::Field,
    form::Problem,
    frame::Place,
    settings::{self as pages, KEY_FIELDS, ProjectKeyLine, Settings},
    settings_fields::{self, VERSIONS},
    values::{self, Values},
};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::ApiKeyId,
    page::{Direction, PageRequest, Sort},
    project::Project,
};
use salvo::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    portal_look,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    auth::Need,
    projects::{create_project_key, delete_project, regenerate_key, revoke_project_key, update_project},
};

const KEYS_MAX: u32 = 200;
/// Stands for a secret that is there, where only that matters.
const SOME_SECRET: &str = "***";

/// The routes below a project.
pub fn router() -> Router {
    let keys = Router::with_path("keys").post(make_key).push(Router::with_path("{key_id}/revoke").post(revoke_key));
    Router::with_path("settings")
        .get(show)
        .post(save)
        .push(Router::with_path("regenerate-key").post(regenerate))
        .push(keys)
        .push(portal_look::router())
        .push(Router::with_path("delete").post(delete))
}

/// The project as it is now: a form that shows what was some seconds ago would put it back.
pub async fn current(visit: &ProjectVisit) -> Result<Project, PageError> {
    let row = Project::find(&mut *visit.conn().await?, visit.id()).await?;
    Ok(row.unwrap_or_else(|| visit.project.as_ref().clone()))
}

/// A project as the API is asked for it.
fn document(project: &Project) -> Value {
    let mut config = serde_json::to_value(&project.config).unwrap_or_default();
    let versions = project.config.signature.versions.iter().map(|version| {
        let word = |value: Value| value.as_str().unwrap_or_default().to_string();
        json!(format!("{} {}", word(json!(version.hash)), word(json!(version.encoding))))
    });
    if let Some(signature) = config.get_mut("signature").and_then(Value::as_object_mut) {
        signature.insert("versions".into(), versions.collect());
    }
    if let Some(meta_event) = config.get_mut("meta_event").and_then(Value::as_object_mut) {
        let secret = if project.config.meta_event.secret.is_empty() { "" } else { SOME_SECRET };
        meta_event.insert("secret".into(), secret.into());
    }
    json!({"name": project.name, "logo_url": project.logo_url, "config": config})
}

async fn view(visit: &ProjectVisit, project: &Project) -> Result<Settings, PageError> {
    let newest = PageRequest {
        per_page: KEYS_MAX,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<ApiKeyId>,
    };
    let keys = ApiKey::list(&mut *visit.conn().await?, Owner::Project(project.id), &newest).await?;
    let now = visit.frame().now;
    let line = |key: ApiKey| ProjectKeyLine {
        id: key.id.to_string(),
        name: key.name,
        role: key.role.to_string(),
        expires_at: key.expires_at,
        created_at: key.created_at,
    };
    Ok(Settings {
        values: Values::of(&settings_fields::all(), &document(project)),
        problem: None,
        kind: project.kind.to_string(),
        keys: keys.rows.into_iter().filter(|key| key.is_live(now)).map(line).collect(),
        key_problem: None,
    })
}

/// Shows them.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::View).await?;
    let project = current(&visit).await?;
    Ok(page(pages::page(visit.frame(), &view(&visit, &project).await?)))
}

/// Changes them.
#[handler]
#[boxed]
pub async fn save(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let form = Form::of(depot);
    let (project, fields) = (current(&visit).await?, settings_fields::all());
    let done = match body(&form, &document(&project)) {
        Ok(body) => {
            let done = visit.run(update_project, visit.on(&[]).with_body(body)).await?;
            match done.problem(&[]) {
                None => return Ok(said(visit.path("/settings"), &done, "The settings are changed.")),
                Some(problem) => Problem::within(&problem.text, &fields),
            }
        }
        Err(problem) => problem,
    };
    let old = view(&visit, &project).await?;
    let values = Values::typed(&fields, |name| form.text(name), &old.values);
    Ok(Answer::Again(pages::page(visit.frame(), &Settings { values, problem: Some(done), ..old })))
}

/// What the API is asked for. What was left empty keeps what it is, where empty says nothing; and what is given as a whole is
/// given only where it changes.
fn body(form: &Form, old: &Value) -> Result<Value, Problem> {
    let mut body = json!({"config": {"notifications": old.pointer("/config/notifications")}});
    // Browsers send every choice: one that is missing is not asked for, and stays as it is.
    let is_asked = |field: &Field| !field.is_choice() || !form.all(field.name).is_empty();
    let fields: Vec<Field> = settings_fields::all().into_iter().filter(is_asked).collect();
    values::write(&mut body, &fields, |name| form.text(name))?;
    let versions = body.pointer("/config/signature/versions").cloned().unwrap_or_default();
    let is_same = |place: &str| body.pointer(place) == old.pointer(place);
    let is_left = versions.as_array().is_none_or(Vec::is_empty);
    let signatures = if is_left || is_same("/config/signature/versions") { None } else { Some(signatures(&versions)?) };
    let meta_event = body.pointer("/config/meta_event").filter(|new| {
        let has_secret = new.get("secret").is_some_and(|secret| secret != "");
        let parts = ["is_enabled", "url"];
        let is_other = |part: &&str| new.get(*part) != old.pointer(&format!("/config/meta_event/{part}"));
        let told = |of: Option<&Value>| of.and_then(Value::as_array).cloned().unwrap_or_default();
        let is_told_else = told(new.get("event_type")) != told(old.pointer("/config/meta_event/event_type"));
        has_secret || is_told_else || parts.iter().any(is_other)
    });
    let meta_event = meta_event.cloned();
    let Some(config) = body.get_mut("config").and_then(Value::as_object_mut) else { return Ok(body) };
    match meta_event {
        Some(meta_event) => drop(config.insert("meta_event".into(), meta_event)),
        None => drop(config.remove("meta_event")),
    }
    if let Some(signature) = config.get_mut("signature").and_then(Value::as_object_mut) {
        signature.insert("versions".into(), signatures.unwrap_or_default());
    }
    if let Some(breaker) = config.get_mut("circuit_breaker").and_then(Value::as_object_mut) {
        breaker.retain(|_, value| !value.is_null());
        if breaker.is_empty() {
            config.remove("circuit_breaker");
        }
    }
    Ok(body)
}

/// The ways to sign, each a line `SHA256 hex`.
fn signatures(lines: &Value) -> Result<Value, Problem> {
    let version = |line: &Value| {
        let (hash, encoding) = line.as_str()?.split_once(' ')?;
        let (hash, encoding) = (hash.trim().to_uppercase(), encoding.trim().to_lowercase());
        let is_known = ["SHA256", "SHA512"].contains(&hash.as_str()) && ["hex", "base64"].contains(&encoding.as_str());
        is_known.then(|| json!({"hash": hash, "encoding": encoding}))
    };
    let versions: Option<Vec<Value>> = lines.as_array().into_iter().flatten().map(version).collect();
    let wrong = || Problem { field: VERSIONS.into(), text: "lines such as SHA256 hex are expected".into() };
    versions.filter(|versions| !versions.is_empty()).map(Value::from).ok_or_else(wrong)
}

/// Makes a key, and shows it once.
#[handler]
#[boxed]
pub async fn make_key(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let form = Form::of(depot);
    let mut body = Map::new();
    body.insert("name".into(), form.text("key_name").into());
    body.insert("role".into(), form.text("role").into());
    let problem = match form.text("expiration").trim() {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(days) => {
                body.insert("expiration".into(), days.into());
                None
            }
            Err(_) => Some(Problem { field: "expiration".into(), text: "a whole number is expected".into() }),
        },
    };
    let problem = match problem {
        Some(problem) => problem,
        None => {
            let done = visit.run(create_project_key, visit.on(&[]).with_body(Value::Object(body))).await?;
            match done.problem(&["name", "expiration"]) {
                None => return Ok(page(pages::new_key(visit.frame(), (&done.text("/key"), false)))),
                Some(problem) if problem.field == "name" => Problem { field: KEY_FIELDS[0].into(), ..problem },
                Some(problem) => problem,
            }
        }
    };
    let project = current(&visit).await?;
    let shown = Settings { key_problem: Some(problem), ..view(&visit, &project).await? };
    Ok(Answer::Again(pages::page(visit.frame(), &shown)))
}

/// Ends a key.
#[handler]
#[boxed]
pub async fn revoke_key(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let key: ApiKeyId = id(req, "key_id")?;
    let done = visit.run(revoke_project_key, visit.on(&[("key_id", key.to_string())])).await?;
    Ok(said(visit.path("/settings"), &done, "The key is refused from now on."))
}

/// Replaces all keys by a new one, which is shown once.
#[handler]
#[boxed]
pub async fn regenerate(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let done = visit.run(regenerate_key, visit.on(&[])).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(visit.path("/settings"), &done, ""));
    }
    Ok(page(pages::new_key(visit.frame(), (&done.text("/key"), true))))
}

/// Deletes the project.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let done = visit.run(delete_project, visit.on(&[])).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(visit.path("/settings"), &done, ""));
    }
    Ok(Redirection::to("/projects").saying(true, "The project is deleted.").into())
}

#[cfg(test)]
mod tests {
    use posthouse_schema::project_config::ProjectConfig;

    use super::*;

    fn old() -> Value {
        let mut config = serde_json::to_value(ProjectConfig::default()).unwrap();
        config["signature"]["versions"] = json!(["SHA256 hex"]);
        config["meta_event"] = json!({"is_enabled": false, "url": "", "event_type": null, "secret": "***"});
        config["notifications"] = json!({"email": "", "slack_webhook_url": "https://hooks/x", "teams_webhook_url": ""});
        json!({"name": "orders", "logo_url": "", "config": config})
    }

    #[test]
    fn what_is_not_touched_is_not_asked_for() {
        let form = Form::from_pairs(&[("name", "shop"), (VERSIONS, "SHA256 hex")]);
        let body = body(&form, &old()).unwrap();
        let config = &body["config"];
        assert!(config["strategy"].get("type").is_none(), "a choice that is not sent stays: {body}");
        assert!(config["signature"].get("standard_webhooks").is_none(), "{body}");
        assert!(config.get("meta_event").is_none() && config.get("circuit_breaker").is_none(), "{body}");
        assert_eq!((&config["signature"]["versions"], &config["strategy"]["duration"]), (&Value::Null, &Value::Null));
        assert_eq!(config["notifications"]["slack_webhook_url"], "https://hooks/x");
    }

    #[test]
    fn what_is_given_as_a_whole_is_whole() {
        let form = Form::from_pairs(&[
            ("name", "shop"),
            (VERSIONS, "sha512 base64\nSHA256 hex"),
            ("config.meta_event.is_enabled", "true"),
            ("config.meta_event.url", "https://example.com"),
            ("config.meta_event.event_type", "endpoint.created"),
            ("config.circuit_breaker.error_timeout", "9"),
        ]);
        let body = body(&form, &old()).unwrap();
        let versions = json!([{"hash": "SHA512", "encoding": "base64"}, {"hash": "SHA256", "encoding": "hex"}]);
        assert_eq!(body["config"]["signature"]["versions"], versions);
        assert_eq!(body["config"]["circuit_breaker"], json!({"error_timeout": 9}));
        assert_eq!(
            body["config"]["meta_event"],
            json!({"is_enabled": true, "url": "https://example.com", "event_type": ["endpoint.created"], "secret": ""})
        );
        let wrong = super::body(&Form::from_pairs(&[(VERSIONS, "MD5 hex")]), &old()).unwrap_err();
        assert_eq!(wrong.field, VERSIONS);
    }
}
