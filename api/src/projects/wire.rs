//! Projects and keys on the wire, contract section 2.1.

use chrono::{DateTime, Utc};
use posthouse_schema::{
    api_key::{ApiKey, PlainKey},
    circuit_breaker::CircuitBreakerConfig,
    project::Project,
    project_config::{MetaEventConfig, ProjectConfig},
};
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a project is made or changed with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectBody {
    /// What it is called; unique in the organisation.
    pub name: Option<String>,
    /// `outgoing` or `incoming`; fixed once it is made.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A picture of it.
    pub logo_url: Option<String>,
    /// Its settings; what is missing keeps its value.
    pub config: Option<Value>,
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectWire {
    /// The project.
    pub uid: String,
    /// What it is called.
    pub name: String,
    /// A picture of it.
    pub logo_url: String,
    /// Whose it is.
    pub organisation_id: String,
    /// `outgoing` or `incoming`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its settings.
    pub config: Value,
    /// Always null.
    pub statistics: Option<Value>,
    /// Always 0.
    pub retained_events: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A new project with its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewProjectWire {
    /// The key; shown only now.
    pub api_key: KeyWire,
    /// The project.
    pub project: ProjectWire,
}

/// A key; shown only when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyWire {
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub role: KeyRole,
    /// Empty for a project key.
    pub key_type: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The key itself.
    pub key: String,
    /// Its id.
    pub uid: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a key allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyRole {
    /// The role.
    #[serde(rename = "type")]
    pub role: String,
    /// In which project.
    pub project: String,
}

/// A project as it is read.
impl From<&Project> for ProjectWire {
    fn from(row: &Project) -> Self {
        Self::new(row, false)
    }
}

impl ProjectWire {
    /// A project; one that was just made shows nothing where it has no settings of its own.
    #[must_use]
    pub fn new(row: &Project, is_new: bool) -> Self {
        Self {
            uid: row.id.to_string(),
            name: row.name.clone(),
            logo_url: row.logo_url.clone(),
            organisation_id: row.organisation_id.to_string(),
            kind: row.kind.to_string(),
            config: config(&row.config, is_new),
            statistics: None,
            retained_events: 0,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }

    /// With the meta events just as they are kept, as an update that names them is answered.
    #[must_use]
    pub fn with_meta_event_as_given(mut self, given: &MetaEventConfig) -> Self {
        if let Some(meta) = self.config.get_mut("meta_event").and_then(Value::as_object_mut) {
            meta.insert("pub_sub".into(), Value::Null);
            meta.insert("event_type".into(), json!(given.event_type));
        }
        self
    }
}

/// Settings with what is in force where a project has none of its own, contract section 2.1.
fn config(row: &ProjectConfig, is_new: bool) -> Value {
    let mut wire = serde_json::to_value(row).unwrap_or_default();
    let Some(fields) = wire.as_object_mut() else { return wire };
    if let Some(meta) = fields.get_mut("meta_event").and_then(Value::as_object_mut) {
        // No broker is a target of meta events; clients expect the key.
        let nowhere = json!({"type": "", "workers": 0, "sqs": null, "google": null, "kafka": null, "amqp": null});
        meta.insert("pub_sub".into(), if is_new { Value::Null } else { nowhere });
        if is_new && row.meta_event == MetaEventConfig::default() {
            meta.insert("event_type".into(), Value::Null);
        } else if !is_new && row.meta_event.event_type.is_none() {
            meta.insert("event_type".into(), json!([]));
        }
    }
    let own = row.circuit_breaker.as_ref();
    let breaker = if own.is_none() && is_new { Value::Null } else { json!(CircuitBreakerConfig::of(own)) };
    fields.insert("circuit_breaker".into(), breaker);
    wire
}

impl KeyWire {
    /// A key that was just made.
    #[must_use]
    pub fn new(row: &ApiKey, plain: &PlainKey) -> Self {
        Self {
            name: row.name.clone(),
            role: KeyRole {
                role: row.role.to_string(),
                project: row.project_id.map(|id| id.to_string()).unwrap_or_default(),
            },
            key_type: if row.user_id.is_some() { "personal_key".into() } else { String::new() },
            expires_at: row.expires_at,
            key: plain.expose().to_string(),
            uid: row.id.to_string(),
            created_at: row.created_at,
        }
    }
}
