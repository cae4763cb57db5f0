//! What a form sent.

use std::sync::Arc;

use salvo::{Depot, Request, http::header::CONTENT_TYPE};
use url::form_urlencoded;

use super::answer::PageError;
use crate::{app::App, body, error::ApiError};

/// The fields of a form, in their order. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Form(Arc<[(String, String)]>);

impl Form {
    /// Reads the request's body.
    ///
    /// # Errors
    /// 400 for what is no form; 413 beyond the limit of bodies.
    pub async fn read(req: &mut Request, app: &App) -> Result<Self, PageError> {
        let is_form = req
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let bytes = body::read(req, app).await?;
        if !is_form && !bytes.is_empty() {
            return Err(ApiError::invalid("a form is expected").into());
        }
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// A form with these fields.
    #[cfg(test)]
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect())
    }

    /// The form that this request sent.
    pub fn of(depot: &Depot) -> Self {
        depot.get_typed::<Self>().cloned().unwrap_or_default()
    }

    /// The first value of a field; empty where it is missing.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// All values of a field.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}
