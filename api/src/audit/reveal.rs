//! Secrets that a page shows because somebody asked for them. Nothing is changed by that, but who has seen a secret is asked when
//! it turns up elsewhere: the line is there before the page is.

use posthouse_schema::{
    audit_log::AuditEntry,
    ids::{AuditEntryId, AuditedId},
    project::Project,
    words::{AuditedKind, AuditedWay},
};
use salvo::prelude::*;
use serde_json::json;

use super::{Actor, request_id, source_address, user_agent};
use crate::{app::App, error::ApiError};

/// Who is shown what.
#[derive(Debug, Clone, Copy)]
pub struct Reveal<'a> {
    /// One of [`Reveal::ACTIONS`].
    pub action: &'static str,
    /// What has the secret.
    pub of: (AuditedKind, AuditedId),
    /// The project that it is in.
    pub project: &'a Project,
    /// Who asked.
    pub by: (Actor, AuditedWay),
}

impl Reveal<'_> {
    /// The secrets of an endpoint.
    pub const ENDPOINT: &'static str = "endpoint.reveal_secrets";
    /// The URL of a portal link, which lets in whoever has it.
    pub const PORTAL_LINK: &'static str = "portal_link.reveal_url";
    /// What is shown of a project's resources when somebody asks for it.
    pub const ACTIONS: [&'static str; 2] = [Self::ENDPOINT, Self::PORTAL_LINK];

    /// Notes it, before it is shown.
    ///
    /// # Errors
    /// 503 when it cannot be noted: nothing is shown then.
    pub async fn note(&self, app: &App, req: &Request, res: &Response) -> Result<(), ApiError> {
        let Self { action, of: (kind, id), project, by: (actor, way) } = *self;
        let entry = AuditEntry {
            id: AuditEntryId::generate(),
            organisation_id: Some(project.organisation_id),
            project_id: Some(project.id),
            actor_kind: actor.kind,
            actor_id: actor.id,
            api_key_id: actor.key,
            action: action.into(),
            resource_kind: kind,
            resource_id: Some(id),
            is_confirmed: true,
            changes: json!({}),
            request_id: request_id(res),
            source_address: source_address(req, app),
            user_agent: user_agent(req),
            way,
        };
        Ok(entry.insert(&mut *app.conn().await?).await?)
    }
}
