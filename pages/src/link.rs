//! Addresses within the dashboard, with their queries.

/// An address that is being put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    path: String,
    query: Vec<(String, String)>,
}

impl Link {
    /// The address of this path.
    #[must_use]
    pub fn to(path: impl Into<String>) -> Self {
        Self { path: path.into(), query: Vec::new() }
    }

    /// The same with this query, without what is blank.
    #[must_use]
    pub fn with_query(mut self, pairs: &[(String, String)]) -> Self {
        self.query.extend(pairs.iter().filter(|(_, value)| !value.trim().is_empty()).cloned());
        self
    }

    /// The same with this value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    /// As it stands in a page.
    #[must_use]
    pub fn build(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }
}

/// A part of a path, encoded.
#[must_use]
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_cannot_break_out_of_a_query() {
        let link = Link::to("/a").with_query(&[("q".into(), "a&b=\"c\" d".into()), ("empty".into(), " ".into())]);
        assert_eq!(link.with("page", "1").build(), "/a?q=a%26b%3D%22c%22+d&page=1");
        assert_eq!(segment("a/b ?#"), "a%2Fb%20%3F%23");
    }
}
