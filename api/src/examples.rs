//! An example for each request, from `examples.json`, where `{endpoint}` and the like stand for ids. A test sends those of the
//! API.

use std::{collections::BTreeMap, sync::LazyLock};

use salvo::oapi::OpenApi;
use serde_json::Value;

/// What stands in the description for an id.
const SOME_ID: &str = "01J8ZK3V5W6X7Y8Z9A0B1C2D3E";

/// The bodies by operation id, with their placeholders.
///
/// # Panics
/// Never: the file is part of the program, and a test reads it.
pub static EXAMPLES: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).expect("the examples are JSON"));

/// Gives every request that has a body its example.
pub fn describe(openapi: &mut OpenApi) {
    for operation in openapi.paths.values_mut().flat_map(|item| item.operations.values_mut()) {
        let Some(example) = operation.operation_id.as_ref().and_then(|id| EXAMPLES.get(id)) else { continue };
        let bodies = operation.request_body.iter_mut().flat_map(|body| body.contents.iter_mut());
        for (_, content) in bodies.filter(|(kind, _)| kind.as_str() == "application/json") {
            content.example = Some(filled(example, &|_| SOME_ID.into()));
        }
    }
}

/// The example with its placeholders replaced.
#[must_use]
pub fn filled(example: &Value, replace: &dyn Fn(&str) -> String) -> Value {
    match example {
        Value::String(text) => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if name.chars().all(|c| c.is_ascii_lowercase()) => Value::String(replace(name)),
            _ => example.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, replace)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), filled(value, replace))).collect())
        }
        other => other.clone(),
    }
}
