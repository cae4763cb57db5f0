//! Where in a request a value is: `request.header.X-Id`, `request.query.id`, `request.body.order.items.0.id`.

use salvo::http::{HeaderMap, HeaderName};
use serde_json::value::RawValue;

use super::json_path::{self, JsonPath};

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a header.
    Header(HeaderName),
    /// In the query string, under this name.
    Query(String),
    /// In the body.
    Body(JsonPath),
}

/// Why a text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationFault {
    /// Less than three parts.
    #[error("not enough parts set")]
    TooShort,
    /// The first word.
    #[error("unsupported prefix, must be one of [request,req]")]
    Prefix,
    /// The second word.
    #[error("unsupported location, must be one of [header,query,body]")]
    Place,
    /// What follows is no header's name.
    #[error("the selector is not a header name")]
    Header,
    /// What follows is no path.
    #[error("the selector {0}")]
    Path(#[from] json_path::PathFault),
}

impl Location {
    /// Reads `request|req` `.` `header|query|queryparam|body` `.` selector, the words in any case.
    ///
    /// # Errors
    /// See [`LocationFault`].
    pub fn parse(text: &str) -> Result<Self, LocationFault> {
        let (prefix, rest) = text.split_once('.').ok_or(LocationFault::TooShort)?;
        let (place, selector) = rest.split_once('.').ok_or(LocationFault::TooShort)?;
        if !["request", "req"].contains(&prefix.to_ascii_lowercase().as_str()) {
            return Err(LocationFault::Prefix);
        }
        if selector.is_empty() {
            return Err(LocationFault::TooShort);
        }
        match place.to_ascii_lowercase().as_str() {
            "header" => {
                HeaderName::from_bytes(selector.as_bytes()).map(Self::Header).map_err(|_| LocationFault::Header)
            }
            "query" | "queryparam" => Ok(Self::Query(selector.into())),
            "body" => Ok(Self::Body(JsonPath::parse(selector)?)),
            _ => Err(LocationFault::Place),
        }
    }

    /// The value at this place; `None` where there is none, or it is empty or null.
    pub fn read(&self, headers: &HeaderMap, query: &str, body: &RawValue) -> Option<String> {
        let found = match self {
            Self::Header(name) => headers.get(name)?.to_str().ok().map(String::from),
            Self::Query(name) => url::form_urlencoded::parse(query.as_bytes())
                .find_map(|(key, value)| (key == name.as_str()).then(|| value.into_owned())),
            Self::Body(path) => path.text(body),
        };
        found.filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn every_spelling_names_its_place() {
        let header = Location::Header(HeaderName::from_static("x-id"));
        for text in ["request.header.X-Id", "req.Header.x-id", "Request.HEADER.x-Id"] {
            assert_eq!(Location::parse(text), Ok(header.clone()), "{text}");
        }
        for text in ["request.query.a.b", "req.QueryParam.a.b"] {
            assert_eq!(Location::parse(text), Ok(Location::Query("a.b".into())), "{text}");
        }
        assert!(matches!(Location::parse("request.Body.a.0.b"), Ok(Location::Body(_))));
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for (text, fault) in [
            ("nowhere", LocationFault::TooShort),
            ("body.id", LocationFault::TooShort),
            ("request.body.", LocationFault::TooShort),
            ("response.body.id", LocationFault::Prefix),
            ("request.cookie.id", LocationFault::Place),
            ("request.header.a b", LocationFault::Header),
        ] {
            assert_eq!(Location::parse(text), Err(fault), "{text}");
        }
        assert!(matches!(Location::parse("request.body.a.*"), Err(LocationFault::Path(_))));
    }

    #[test]
    fn values_are_read_where_they_are() {
        let headers: HeaderMap = [(HeaderName::from_static("x-id"), "7".parse().unwrap())].into_iter().collect();
        let body = raw(r#"{"id": 12345678901234567890123, "a": ["x", {"b.c": true}], "none": null, "empty": ""}"#);
        for (text, expected) in [
            ("request.header.X-Id", Some("7")),
            ("request.header.X-Other", None),
            ("request.query.q", Some("ä b")),
            ("request.query.other", None),
            ("request.body.id", Some("12345678901234567890123")),
            ("request.body.a.0", Some("x")),
            (r"request.body.a.1.b\.c", Some("true")),
            ("request.body.a.2", None),
            ("request.body.none", None),
            ("request.body.empty", None),
            ("request.body.id.deeper", None),
        ] {
            let found = Location::parse(text).unwrap().read(&headers, "q=%C3%A4+b&q=second", &body);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_query_is_too_odd(text in "(request|req|\\PC{0,9})[.](header|body|query|\\PC{0,9})[.]\\PC{0,20}", query in "\\PC{0,40}") {
            if let Ok(location) = Location::parse(&text) {
                location.read(&HeaderMap::new(), &query, &raw("{}"));
            }
        }
    }
}
