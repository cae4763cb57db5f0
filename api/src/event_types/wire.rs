//! Event types on the wire, contract section 2.9.

use chrono::{DateTime, Utc};
use posthouse_schema::event_type::EventType;
use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event type is made with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventTypeBody {
    /// The name that events carry; unique in the project.
    #[serde(alias = "NAME", alias = "Name")]
    pub name: Option<String>,
    /// A group of your own making.
    pub category: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The shape of its events' data, as JSON Schema; for people, events are not checked against it.
    pub json_schema: Option<Value>,
}

/// What is changed of an event type; what is missing keeps its value.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventTypeChangeBody {
    /// A group of your own making.
    pub category: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The shape of its events' data, as JSON Schema.
    pub json_schema: Option<Value>,
}

/// A description of webhooks to import.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ImportBody {
    /// An OpenAPI document as a text, in JSON or YAML.
    pub spec: Option<String>,
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeWire {
    /// The event type.
    pub uid: String,
    /// The name that events carry.
    pub name: String,
    /// A group of your own making.
    pub category: String,
    /// The shape of its events' data, as JSON Schema.
    pub json_schema: Option<Value>,
    /// For people.
    pub description: String,
    /// Since when it should no longer be used.
    pub deprecated_at: Option<DateTime<Utc>>,
}

impl From<EventType> for EventTypeWire {
    fn from(row: EventType) -> Self {
        Self {
            uid: row.id.to_string(),
            name: row.name,
            category: row.category,
            json_schema: row.json_schema,
            description: row.description,
            deprecated_at: row.deprecated_at,
        }
    }
}
