//! Event types out of an OpenAPI document: one for each webhook that it describes, with the schema of the request's body.
//! References into the document are put in place of themselves; nothing outside it is ever read.

use std::collections::BTreeMap;

use posthouse_schema::event_type::EventTypeValues;
use serde_json::{Map, Value, json};

use super::{document, json_schema};
use crate::{
    body::{TEXT_BYTES_MAX, bounded},
    error::ApiError,
};

/// Webhooks that one document may describe.
const WEBHOOKS_MAX: usize = 500;
/// Values of one schema once its references are resolved.
const SCHEMA_VALUES_MAX: usize = 20_000;
/// References followed one inside the other.
const DEPTH_MAX: usize = 64;
const METHODS: [&str; 5] = ["post", "put", "patch", "get", "delete"];

/// The event types that the document describes, by name.
///
/// # Errors
/// 400: it cannot be read, describes no webhooks, refers to something outside, or is too large.
pub fn event_types(text: &str) -> Result<Vec<EventTypeValues>, ApiError> {
    let none = || ApiError::invalid("no webhooks found in OpenAPI spec");
    if text.trim().is_empty() {
        return Err(none());
    }
    let spec =
        document::read(text).map_err(|error| ApiError::invalid(format!("error loading OpenAPI spec: {error}")))?;
    let found = webhooks(&spec);
    if found.is_empty() {
        return Err(none());
    }
    if found.len() > WEBHOOKS_MAX {
        return Err(ApiError::invalid(format!("spec: at most {WEBHOOKS_MAX} webhooks are accepted")));
    }
    found.into_iter().map(|(name, operation)| event_type(&spec, name, operation)).collect()
}

/// The operations that describe webhooks, by the name of their event type.
fn webhooks(spec: &Value) -> BTreeMap<String, &Value> {
    for key in ["webhooks", "x-webhooks"] {
        let named = spec.get(key).and_then(Value::as_object).into_iter().flatten();
        let found: BTreeMap<_, _> =
            named.filter_map(|(name, item)| Some((name.clone(), operation(spec, item)?))).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let paths = spec.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths
        .filter_map(|(path, item)| {
            let operation = target(spec, item)?.get("post")?;
            says_webhook(path, operation).then(|| (path_name(path, operation), operation))
        })
        .collect()
}

fn operation<'s>(spec: &'s Value, item: &'s Value) -> Option<&'s Value> {
    let item = target(spec, item)?;
    METHODS.iter().find_map(|method| item.get(method)).filter(|operation| operation.is_object())
}

fn says_webhook(path: &str, operation: &Value) -> bool {
    let says = |text: &str| text.to_lowercase().contains("webhook");
    let tags = operation.get("tags").and_then(Value::as_array).into_iter().flatten();
    says(path) || tags.filter_map(Value::as_str).any(says)
}

/// The operation's own id, or its path in the style of event types.
fn path_name(path: &str, operation: &Value) -> String {
    let own = operation.get("operationId").and_then(Value::as_str).filter(|id| !id.trim().is_empty());
    own.map_or_else(|| path.trim_matches('/').replace('/', "."), String::from)
}

/// What a value is, or what its reference points at.
fn target<'s>(spec: &'s Value, mut value: &'s Value) -> Option<&'s Value> {
    for _ in 0..DEPTH_MAX {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => value = spec.pointer(reference.strip_prefix('#')?)?,
            None => return Some(value),
        }
    }
    None
}

fn event_type(spec: &Value, name: String, operation: &Value) -> Result<EventTypeValues, ApiError> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    if name.trim().is_empty() {
        return Err(ApiError::invalid("spec: a webhook has no name"));
    }
    bounded("spec: the name of a webhook", &name)?;
    let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let description: String =
        [text("description"), text("summary")].into_iter().find(|text| !text.is_empty()).unwrap_or_default().into();
    if description.len() > TEXT_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "spec: the description of {shown} is longer than {TEXT_BYTES_MAX} bytes"
        )));
    }
    bounded("spec: a description", &description)?;
    let json_schema = match schema(spec, operation) {
        None => None,
        Some(found) => {
            let mut resolver = Resolver { spec, room: SCHEMA_VALUES_MAX, open: Vec::new() };
            let resolved = resolver.resolve(found).map_err(|why| ApiError::invalid(format!("spec: {shown}: {why}")))?;
            json_schema::checked_import(resolved, is_3_0(spec))
                .map_err(|why| ApiError::invalid(format!("spec: {shown}: {why}")))?
        }
    };
    Ok(EventTypeValues { name, category: String::new(), description, json_schema })
}

/// OpenAPI 3.0 describes data by an older dialect of JSON Schema.
fn is_3_0(spec: &Value) -> bool {
    spec.get("openapi").and_then(Value::as_str).is_some_and(|version| version.starts_with("3.0"))
}

/// The schema of an operation's body, JSON where there are several.
fn schema<'s>(spec: &'s Value, operation: &'s Value) -> Option<&'s Value> {
    let body = target(spec, operation.get("requestBody")?)?;
    let content = body.get("content")?.as_object()?;
    let json = content.get("application/json");
    json.or_else(|| content.iter().find(|(kind, _)| kind.contains("json")).map(|(_, media)| media))
        .or_else(|| content.values().next())?
        .get("schema")
}

/// Puts what is referred to in place of references.
struct Resolver<'s> {
    spec: &'s Value,
    room: usize,
    /// References that are being resolved, the outermost first.
    open: Vec<&'s str>,
}

impl<'s> Resolver<'s> {
    fn resolve(&mut self, value: &'s Value) -> Result<Value, String> {
        self.room = self
            .room
            .checked_sub(1)
            .ok_or_else(|| format!("the schema has more than {SCHEMA_VALUES_MAX} values once it is resolved"))?;
        match value {
            Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
                Some(reference) => self.follow(reference),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in fields {
                        resolved.insert(key.clone(), self.resolve(value)?);
                    }
                    Ok(Value::Object(resolved))
                }
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            plain => Ok(plain.clone()),
        }
    }

    fn follow(&mut self, reference: &'s str) -> Result<Value, String> {
        let shown: String = reference.chars().filter(|c| !c.is_control()).take(128).collect();
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!("$ref {shown}: only references into the document itself are followed"));
        };
        if self.open.contains(&reference) {
            // What contains itself has no end: it is cut here, which allows anything.
            return Ok(json!({"description": format!("As {shown}, of which this is a part.")}));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("$ref {shown}: more than {DEPTH_MAX} references, one inside the other"));
        }
        let spec = self.spec;
        let found = spec.pointer(pointer).ok_or_else(|| format!("$ref {shown}: there is nothing of this name"))?;
        self.open.push(reference);
        let resolved = self.resolve(found);
        self.open.pop();
        resolved
    }
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
