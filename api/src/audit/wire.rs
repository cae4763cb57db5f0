//! A line of the audit log on the wire.

use chrono::{DateTime, Utc};
use posthouse_schema::audit_log::AuditEntry;
use salvo::oapi::ToSchema;
use serde::Serialize;

/// Who changed what.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntryWire {
    /// Its id.
    pub uid: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// `user`, `project_key`, `portal_link`, `tool` (the operator's) or `nobody` (somebody without credentials).
    pub actor_kind: &'static str,
    /// The user, the key or the portal link.
    pub actor_id: Option<String>,
    /// The personal key that a user came with; none for a session.
    pub api_key_id: Option<String>,
    /// What was done, as `endpoint.update`.
    pub action: String,
    /// What kind of thing it was done to, as `endpoint`.
    pub resource_kind: &'static str,
    /// Which one; none where it was done to several.
    pub resource_id: Option<String>,
    /// Its organisation.
    pub organisation_id: Option<String>,
    /// Its project.
    pub project_id: Option<String>,
    /// Whether it is known that it was done. False while the request is under way, and where the process ended meanwhile.
    pub is_confirmed: bool,
    /// Field to `{"before", "after"}`; to `{"is_secret": true}` where its value is not shown.
    #[salvo(schema(value_type = serde_json::Value))]
    pub changes: serde_json::Value,
    /// The id of the request, as its answer's header `x-request-id` has it.
    pub request_id: String,
    /// Where the request came from.
    pub source_address: String,
    /// The program that sent it, as it calls itself.
    pub user_agent: String,
    /// By which way it was made: `api`, `dashboard` or `tool`.
    pub way: &'static str,
}

impl From<AuditEntry> for AuditEntryWire {
    fn from(row: AuditEntry) -> Self {
        Self {
            uid: row.id.to_string(),
            created_at: row.id.created_at(),
            actor_kind: row.actor_kind.as_str(),
            actor_id: row.actor_id.map(|id| id.to_string()),
            api_key_id: row.api_key_id.map(|id| id.to_string()),
            action: row.action,
            resource_kind: row.resource_kind.as_str(),
            resource_id: row.resource_id.map(|id| id.to_string()),
            organisation_id: row.organisation_id.map(|id| id.to_string()),
            project_id: row.project_id.map(|id| id.to_string()),
            is_confirmed: row.is_confirmed,
            changes: row.changes,
            request_id: row.request_id,
            source_address: row.source_address,
            user_agent: row.user_agent,
            way: row.way.as_str(),
        }
    }
}
