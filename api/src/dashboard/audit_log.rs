//! The audit log of a project and of an organisation.

use std::collections::BTreeMap;

use posthouse_boxed::boxed;
use posthouse_pages::{
    audit_log::{self as pages, AuditLine, AuditLog, AuditQuery, Change},
    form::Problem,
    frame::Place,
    pager::Pager,
};
use posthouse_schema::{
    audit_log::{Audience, AuditEntry},
    ids::{AuditEntryId, OrganisationId, UserId},
    organisation::{self, Organisation},
    user::User,
    words::ActorKind,
};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    answer::{PageError, PageResult},
    query,
    visit::{ProjectVisit, Visit, id, page},
};
use crate::{
    app::App,
    audit::{list, operations},
    auth::Need,
    error::ApiError,
};

/// What stays from page to page.
const KEPT: [&str; 5] = ["action", "actorId", "resourceId", "startDate", "endDate"];
/// Characters of a value that a line shows.
const VALUE_CHARS_MAX: usize = 200;

/// The route below a project.
pub fn router() -> Router {
    Router::with_path("audit-log").get(of_project)
}

/// The route below an organisation.
pub fn organisation_router() -> Router {
    Router::with_path("organisations/{org_id}/audit-log").get(of_organisation)
}

/// Lists who changed what in a project.
#[handler]
#[boxed]
pub async fn of_project(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::AuditLog, Need::Manage).await?;
    let whose = (Audience::Project(visit.id()), visit.path("/audit-log"), None);
    shown(req, &visit.visit, whose).await
}

/// Lists who changed what in an organisation and its projects.
#[handler]
#[boxed]
pub async fn of_organisation(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let organisation: OrganisationId = id(req, "org_id")?;
    let mut conn = visit.app.conn().await?;
    let row = Organisation::find(&mut conn, organisation).await?.ok_or_else(PageError::not_found)?;
    let role = organisation::role_of(&mut conn, organisation, visit.user).await?.ok_or_else(PageError::not_found)?;
    drop(conn);
    if !role.is_admin() {
        return Err(ApiError::Forbidden("Unauthorized").into());
    }
    let path = format!("/organisations/{organisation}/audit-log");
    let whose = (Audience::Organisation(organisation), path, Some((organisation.to_string(), row.name)));
    shown(req, &visit, whose).await
}

async fn shown(
    req: &mut Request,
    visit: &Visit,
    (audience, path, organisation): (Audience, String, Option<(String, String)>),
) -> PageResult {
    let text = |key| query::text(req, key);
    let asked = AuditQuery {
        actor_id: text("actorId"),
        action: text("action"),
        resource_id: text("resourceId"),
        from: text("startDate"),
        to: text("endDate"),
    };
    query::complete(req);
    let (rows, pager, problem) = match find(req, &visit.app, audience).await {
        Ok(found) => {
            let pager = query::pager(path.clone(), query::kept(req, &KEPT), &found, |row| row.id.to_string());
            (lines(&visit.app, found.rows).await?, pager, None)
        }
        Err(error @ ApiError::Invalid(_)) => {
            (Vec::new(), Pager::default(), Some(Problem { field: String::new(), text: error.to_string() }))
        }
        Err(error) => return Err(error.into()),
    };
    let actions = operations::actions().into_iter().map(str::to_string).collect();
    let view = AuditLog { path, organisation, query: asked, problem, actions, rows, pager };
    Ok(page(pages::page(&visit.frame, &view)))
}

async fn find(
    req: &Request,
    app: &App,
    audience: Audience,
) -> Result<posthouse_schema::page::Page<AuditEntry>, ApiError> {
    let (filter, request) = (list::filter(req)?, query::page::<AuditEntryId>(req)?);
    Ok(AuditEntry::list(&mut *app.conn().await?, audience, &filter, &request).await?)
}

async fn lines(app: &App, rows: Vec<AuditEntry>) -> Result<Vec<AuditLine>, PageError> {
    let of_user = |row: &AuditEntry| (row.actor_kind == ActorKind::User).then_some(row.actor_id).flatten();
    let mut ids: Vec<UserId> = rows.iter().filter_map(of_user).map(|id| UserId::from_bits(id.to_bits())).collect();
    ids.sort_unstable();
    ids.dedup();
    let users = User::find_many(&mut *app.conn().await?, &ids).await?;
    let emails: BTreeMap<String, String> = users.into_iter().map(|user| (user.id.to_string(), user.email)).collect();
    Ok(rows.into_iter().map(|row| line(row, &emails)).collect())
}

fn line(row: AuditEntry, emails: &BTreeMap<String, String>) -> AuditLine {
    let actor_id = row.actor_id.map(|id| id.to_string()).unwrap_or_default();
    let actor = match row.actor_kind {
        ActorKind::Nobody => "Somebody without credentials".into(),
        ActorKind::Tool => "The operator's tool".into(),
        _ => emails.get(&actor_id).cloned().unwrap_or_else(|| actor_id.clone()),
    };
    AuditLine {
        at: row.id.created_at(),
        actor,
        actor_kind: row.actor_kind.to_string(),
        actor_id,
        action: row.action,
        resource_kind: row.resource_kind.to_string(),
        resource_id: row.resource_id.map(|id| id.to_string()).unwrap_or_default(),
        is_confirmed: row.is_confirmed,
        changes: changes(&row.changes),
        source_address: row.source_address,
        user_agent: row.user_agent,
        request_id: row.request_id,
    }
}

/// The fields that differ, without what is secret.
fn changes(of: &Value) -> Vec<Change> {
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "–".to_string(),
        Some(Value::String(text)) => text.chars().take(VALUE_CHARS_MAX).collect(),
        Some(other) => other.to_string().chars().take(VALUE_CHARS_MAX).collect(),
    };
    let change = |(field, change): (&String, &Value)| Change {
        field: field.clone(),
        values: change.get("is_secret").is_none().then(|| (shown(change.get("before")), shown(change.get("after")))),
    };
    of.as_object().into_iter().flatten().map(change).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_secret_is_named_and_not_shown() {
        let changes = changes(&json!({
            "authentication": {"is_secret": true},
            "name": {"before": null, "after": "orders"},
            "rate_limit": {"before": 1, "after": 2},
        }));
        let shown: Vec<(String, Option<(String, String)>)> =
            changes.into_iter().map(|change| (change.field, change.values)).collect();
        assert_eq!(
            shown,
            [
                ("authentication".into(), None),
                ("name".into(), Some(("–".into(), "orders".into()))),
                ("rate_limit".into(), Some(("1".into(), "2".into()))),
            ]
        );
    }
}
