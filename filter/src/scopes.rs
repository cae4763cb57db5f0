//! The four parts of an event that a filter speaks of.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

/// A part of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Header names to their first values.
    Headers,
    /// The data.
    Body,
    /// Query parameters to their values.
    Query,
    /// `{"path": …}`.
    Path,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        })
    }
}

/// Something for each part of an event: its values, or a filter's conditions on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes<T> {
    /// For the headers.
    pub headers: T,
    /// For the data.
    pub body: T,
    /// For the query parameters.
    pub query: T,
    /// For the path.
    pub path: T,
}

impl<T> Scopes<T> {
    /// The same by reference.
    #[must_use]
    pub const fn as_ref(&self) -> Scopes<&T> {
        Scopes { headers: &self.headers, body: &self.body, query: &self.query, path: &self.path }
    }

    /// What is of this part.
    #[must_use]
    pub fn of(&self, scope: Scope) -> &T {
        match scope {
            Scope::Headers => &self.headers,
            Scope::Body => &self.body,
            Scope::Query => &self.query,
            Scope::Path => &self.path,
        }
    }

    /// Each part turned into something else.
    ///
    /// # Errors
    /// The first part that cannot be.
    pub fn try_map<U, E>(self, mut change: impl FnMut(Scope, T) -> Result<U, E>) -> Result<Scopes<U>, E> {
        Ok(Scopes {
            headers: change(Scope::Headers, self.headers)?,
            body: change(Scope::Body, self.body)?,
            query: change(Scope::Query, self.query)?,
            path: change(Scope::Path, self.path)?,
        })
    }
}

impl Scopes<Value> {
    /// What a filter sees of an event: of each header the first value, of a query parameter its value or the list of them,
    /// and the path as `{"path": …}` where there is one.
    #[must_use]
    pub fn of_event(
        headers: &BTreeMap<String, Vec<String>>,
        body: Value,
        query: impl Iterator<Item = (String, String)>,
        path: &str,
    ) -> Self {
        let headers = headers.iter().map(|(name, values)| {
            (name.clone(), values.first().map_or(Value::String(String::new()), |value| value.clone().into()))
        });
        let path = if path.is_empty() { Map::new() } else { Map::from_iter([("path".to_string(), path.into())]) };
        Self {
            headers: Value::Object(headers.collect()),
            body,
            query: Value::Object(parameters(query)),
            path: Value::Object(path),
        }
    }
}

fn parameters(query: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut parameters: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in query {
        parameters.entry(name).or_default().push(Value::String(value));
    }
    let single = |mut values: Vec<Value>| match (values.pop(), values.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            values.extend(last);
            Value::Array(values)
        }
    };
    parameters.into_iter().map(|(name, values)| (name, single(values))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_its_four_parts() {
        let headers = BTreeMap::from([
            ("X-Kind".to_string(), vec!["a".to_string(), "b".to_string()]),
            ("X-Empty".to_string(), vec![]),
        ]);
        let query = [("a", "1"), ("b", "2"), ("a", "3")].map(|(name, value)| (name.to_string(), value.to_string()));
        let event = Scopes::of_event(&headers, json!([1]), query.into_iter(), "/ingest/x");
        assert_eq!(event.headers, json!({"X-Kind": "a", "X-Empty": ""}));
        assert_eq!(event.body, json!([1]));
        assert_eq!(event.query, json!({"a": ["1", "3"], "b": "2"}));
        assert_eq!(event.path, json!({"path": "/ingest/x"}));
        let bare = Scopes::of_event(&BTreeMap::new(), Value::Null, std::iter::empty(), "");
        assert_eq!((bare.query, bare.path), (json!({}), json!({})));
    }
}
