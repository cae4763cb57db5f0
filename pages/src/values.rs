//! What stands in the fields of a form: read from a JSON document, and written into one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{
    field::{Field, REMOVE},
    form::Problem,
};

/// What stands in fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    texts: BTreeMap<String, String>,
    stored: BTreeSet<String>,
}

impl Values {
    /// What a document says in these fields. Of secrets only that there are some.
    #[must_use]
    pub fn of(fields: &[Field], document: &Value) -> Self {
        let mut values = Self::default();
        for field in fields {
            let Some(value) = at(document, field.name) else { continue };
            let text = match value {
                Value::Null | Value::Bool(false) => continue,
                Value::Bool(true) => "true".into(),
                Value::String(text) => text.clone(),
                Value::Array(entries) => {
                    let line = |entry: &Value| entry.as_str().map_or_else(|| entry.to_string(), str::to_string);
                    entries.iter().map(line).collect::<Vec<_>>().join("\n")
                }
                Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
                Value::Number(number) => number.to_string(),
            };
            if !field.input.is_secret() {
                values.texts.insert(field.name.into(), text);
            } else if !text.is_empty() {
                values.stored.insert(field.name.into());
            }
        }
        values
    }

    /// What was typed into these fields, beside what is stored. Secrets are typed again.
    #[must_use]
    pub fn typed<'t>(fields: &[Field], typed: impl Fn(&str) -> &'t str, stored: &Self) -> Self {
        let shown = fields.iter().filter(|field| !field.input.is_secret());
        Self {
            texts: shown.map(|field| (field.name.into(), typed(field.name).into())).collect(),
            stored: stored.stored.clone(),
        }
    }

    /// What stands in a field.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// The same with this in a field.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.texts.insert(name.into(), text.into());
        self
    }

    /// Whether there is a secret that is not shown.
    #[must_use]
    pub fn is_stored(&self, name: &str) -> bool {
        self.stored.contains(name)
    }
}

/// Writes into a document what was typed. A secret that was left empty stays what the document has, unless it is to be removed.
///
/// # Errors
/// A number or an object is expected in a field.
pub fn write<'t>(document: &mut Value, fields: &[Field], typed: impl Fn(&str) -> &'t str) -> Result<(), Problem> {
    for field in fields {
        let text = typed(field.name);
        let is_kept = field.input.is_secret()
            && text.is_empty()
            && typed(&format!("{}{REMOVE}", field.name)).is_empty()
            && at(document, field.name).is_some();
        if !is_kept {
            let value = field.value(text)?;
            put(document, field.name, value);
        }
    }
    Ok(())
}

/// What is at this place of a document.
fn at<'d>(document: &'d Value, name: &str) -> Option<&'d Value> {
    name.split('.').try_fold(document, |value, part| value.get(part))
}

/// Puts a value at this place of a document. What is in the way is no object, and goes.
fn put(document: &mut Value, name: &str, value: Value) {
    let mut here = document;
    for part in name.split('.') {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Some(fields) = here.as_object_mut() else { return };
        here = fields.entry(part).or_insert(Value::Null);
    }
    *here = value;
}

impl Problem {
    /// Reads `field: text`, as the API says it. It names the field by its whole place or by the end of it.
    #[must_use]
    pub fn within(message: &str, fields: &[Field]) -> Self {
        let whole = || Self { field: String::new(), text: message.into() };
        let Some((name, text)) = message.split_once(':') else { return whole() };
        let end = format!(".{}", name.trim());
        let named = fields
            .iter()
            .find(|field| field.name == name.trim())
            .or_else(|| fields.iter().find(|field| field.name.ends_with(&end)));
        named.map_or_else(whole, |field| Self { field: field.name.into(), text: text.trim().into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::field::{Input, all};

    const FIELDS: [Field; 10] = [
        Field::text("name", "Name").required(),
        Field::number("broker.port", "Port"),
        Field::new("broker.auth.password", "Password", Input::Secret),
        Field::new("broker.tls", "Encrypted", Input::Switch),
        Field::new("broker.servers", "Servers", Input::List),
        Field::new("broker.qos", "Quality", Input::Level(&[("", "As it is"), ("1", "One")])),
        Field::new("filter", "Filter", Input::Json(3)),
        Field::new("code", "Code", Input::Area(3)),
        Field::new("waits", "Waits", Input::Numbers),
        Field::new("key", "Key", Input::SecretJson(3)),
    ];

    fn typed<'t>(pairs: &'t [(&'t str, &'t str)]) -> impl Fn(&str) -> &'t str {
        move |name| pairs.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value)
    }

    #[test]
    fn what_was_typed_becomes_a_document_and_comes_back() {
        let pairs = [
            ("name", " orders "),
            ("broker.port", "1883"),
            ("broker.auth.password", " s3cret"),
            ("broker.tls", "true"),
            ("broker.servers", "a\r\n\n b \n"),
            ("broker.qos", "1"),
            ("filter", r#"{"a": 1}"#),
            ("code", "a\r\nb"),
            ("waits", "5\n 300\n"),
            ("key", r#"{"d": "private"}"#),
        ];
        let mut document = json!({});
        write(&mut document, &FIELDS, typed(&pairs)).unwrap();
        let broker =
            json!({"port": 1883, "auth": {"password": " s3cret"}, "tls": true, "servers": ["a", "b"], "qos": 1});
        let others =
            json!({"name": "orders", "filter": {"a": 1}, "code": "a\nb", "waits": [5, 300], "key": {"d": "private"}});
        let mut expected = others;
        expected["broker"] = broker;
        assert_eq!(document, expected);
        let values = Values::of(&FIELDS, &document);
        assert_eq!((values.text("broker.servers"), values.text("broker.qos")), ("a\nb", "1"));
        assert_eq!((values.text("waits"), values.is_stored("key")), ("5\n300", true));
        assert!(values.is_stored("broker.auth.password") && values.text("broker.auth.password").is_empty());
        let shown = all(&FIELDS, &values, None).into_string();
        assert!(shown.contains("It is stored") && !shown.contains("s3cret") && !shown.contains("private"), "{shown}");
    }

    #[test]
    fn a_secret_stays_until_it_is_replaced_or_removed() {
        let stored = json!({"broker": {"auth": {"password": "old"}}});
        for (pairs, expected) in [
            (vec![], "old"),
            (vec![("broker.auth.password", "new")], "new"),
            (vec![("broker.auth.password.remove", "true")], ""),
        ] {
            let mut document = stored.clone();
            write(&mut document, &FIELDS[2..3], typed(&pairs)).unwrap();
            assert_eq!(document["broker"]["auth"]["password"], expected);
        }
        let mut document = Value::Null;
        write(&mut document, &FIELDS[..3], typed(&[])).unwrap();
        assert_eq!(document, json!({"name": "", "broker": {"port": null, "auth": {"password": ""}}}));
    }

    #[test]
    fn what_is_no_number_and_no_object_is_said_at_its_field() {
        for (name, text) in
            [("broker.port", "x"), ("broker.qos", "1.5"), ("filter", "[1]"), ("filter", "{"), ("waits", "5 300")]
        {
            let problem = write(&mut json!({}), &FIELDS, typed(&[(name, text)])).unwrap_err();
            assert_eq!(problem.field, name);
            let shown = all(&FIELDS, &Values::default(), Some(&problem)).into_string();
            assert!(shown.contains(&format!("id=\"{name}-error\"")) && shown.contains("aria-invalid=\"true\""));
        }
    }

    #[test]
    fn a_problem_belongs_to_the_field_that_it_names() {
        for (message, field) in [
            ("broker.port: too large", "broker.port"),
            ("password:please provide a password", "broker.auth.password"),
            ("nothing: such", ""),
            ("no field at all", ""),
        ] {
            assert_eq!(Problem::within(message, &FIELDS).field, field, "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_document_is_too_odd(text in ".{0,40}", number in any::<i64>()) {
            for odd in [json!(null), json!([1]), json!({"broker": text.clone()}), json!({"broker": {"auth": number}})] {
                let values = Values::of(&FIELDS, &odd);
                prop_assert!(values.text("name").is_empty());
                let mut document = odd;
                write(&mut document, &FIELDS[..3], |_| "7").unwrap();
                prop_assert_eq!(&document["broker"]["port"], 7);
            }
        }
    }
}
