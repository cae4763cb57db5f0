//! JSON Schemas of event types: whether a text that calls itself one is one. They are kept for people; no event is checked
//! against them, and nothing that they refer to is ever fetched.

use jsonschema::{ValidationError, draft4, draft6, draft7, draft201909, draft202012};
use serde_json::Value;

use crate::error::ApiError;

/// Bytes of one schema.
const SCHEMA_BYTES_MAX: usize = 65_536;
const REASON_CHARS_MAX: usize = 300;

/// A dialect of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Draft4,
    Draft6,
    Draft7,
    Draft201909,
    Draft202012,
}

impl Dialect {
    /// The dialect that a schema names; without a name the newest.
    fn of(schema: &Value) -> Result<Self, String> {
        let Some(named) = schema.get("$schema") else { return Ok(Self::Draft202012) };
        let known = [
            ("draft-04", Self::Draft4),
            ("draft-06", Self::Draft6),
            ("draft-07", Self::Draft7),
            ("2019-09", Self::Draft201909),
            ("2020-12", Self::Draft202012),
        ];
        let text = named.as_str().filter(|text| text.contains("json-schema.org"));
        let found = text.and_then(|text| known.into_iter().find(|(part, _)| text.contains(part)));
        found.map(|(_, dialect)| dialect).ok_or_else(|| "$schema: the dialect is not known".into())
    }

    fn check(self, schema: &Value) -> Result<(), ValidationError<'_>> {
        match self {
            Self::Draft4 => draft4::meta::validate(schema),
            Self::Draft6 => draft6::meta::validate(schema),
            Self::Draft7 => draft7::meta::validate(schema),
            Self::Draft201909 => draft201909::meta::validate(schema),
            Self::Draft202012 => draft202012::meta::validate(schema),
        }
    }
}

/// A caller's schema, or none where it is missing or null.
///
/// # Errors
/// 400 with the place where it is no schema.
pub fn checked(given: Option<Value>) -> Result<Option<Value>, ApiError> {
    let Some(schema) = given.filter(|schema| !schema.is_null()) else { return Ok(None) };
    if !schema.is_object() {
        return Err(ApiError::invalid("json_schema: an object is expected"));
    }
    check(&schema, None).map_err(|why| ApiError::invalid(format!("json_schema: invalid JSON schema: {why}")))?;
    Ok(Some(schema))
}

/// The schema of an imported webhook. Clients of the contract read `required` of every object, null where nothing is.
///
/// # Errors
/// Where it is no schema.
pub fn checked_import(schema: Value, is_3_0: bool) -> Result<Option<Value>, String> {
    let Value::Object(fields) = &schema else {
        return if schema == Value::Bool(true) { Ok(None) } else { Err("the schema is not an object".into()) };
    };
    let is_object = fields.get("type").is_some_and(|kind| kind == "object");
    let lacks_required = !fields.contains_key("required");
    check(&schema, is_3_0.then_some(Dialect::Draft4)).map_err(|why| format!("invalid JSON schema: {why}"))?;
    let mut schema = schema;
    if let (Value::Object(fields), true) = (&mut schema, is_object && lacks_required) {
        fields.insert("required".into(), Value::Null);
    }
    Ok(Some(schema))
}

fn check(schema: &Value, dialect: Option<Dialect>) -> Result<(), String> {
    let text = schema.to_string();
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(format!("at most {SCHEMA_BYTES_MAX} bytes are accepted"));
    }
    if text.contains("\\u0000") {
        return Err("the NUL character is not accepted".into());
    }
    let dialect = dialect.map_or_else(|| Dialect::of(schema), Ok)?;
    // What an import has added may come back.
    let mut own = schema.clone();
    if let Some(fields) = own.as_object_mut().filter(|fields| fields.get("required").is_some_and(Value::is_null)) {
        fields.remove("required");
    }
    dialect.check(&own).map_err(|error| {
        let reason: String = error.to_string().chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
        format!("at '{}': {reason}", error.instance_path())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_of_every_dialect_are_taken() {
        for schema in [
            json!({}),
            json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}),
            json!({"type": "object", "required": null}),
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true}),
            json!({"$schema": "http://json-schema.org/draft-06/schema#", "const": 1}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "if": {}}),
            json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$defs": {}}),
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{}]}),
            json!({"$ref": "https://example.com/never-fetched.json"}),
        ] {
            assert_eq!(checked(Some(schema.clone())).unwrap(), Some(schema));
        }
        assert_eq!((checked(None).unwrap(), checked(Some(Value::Null)).unwrap()), (None, None));
    }

    #[test]
    fn what_is_no_schema_is_refused_with_the_place() {
        for (schema, part) in [
            (json!("x"), "an object is expected"),
            (json!(true), "an object is expected"),
            (json!({"type": "nonsense"}), "at '/type'"),
            (json!({"properties": {"a": {"required": "yes"}}}), "/properties/a/required"),
            (json!({"exclusiveMinimum": true}), "at '/exclusiveMinimum'"),
            (json!({"$schema": "https://example.com/mine"}), "$schema: the dialect is not known"),
            (json!({"$schema": 7}), "$schema: the dialect is not known"),
            (json!({"title": "a\u{0}"}), "NUL"),
            (json!({"title": "x".repeat(SCHEMA_BYTES_MAX)}), "at most"),
        ] {
            let error = checked(Some(schema.clone())).unwrap_err().to_string();
            assert!(error.starts_with("json_schema: ") && error.contains(part), "{schema}: {error}");
        }
    }

    #[test]
    fn the_older_dialect_of_openapi_is_understood() {
        let older = json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "nullable": true});
        assert!(checked_import(older.clone(), true).is_ok());
        assert!(checked_import(older, false).is_err());
    }
}
