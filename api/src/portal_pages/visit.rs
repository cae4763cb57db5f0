//! A visit of the portal: who reads, what is around the page, and asking the portal's operations as its holder.

use std::sync::Arc;

use posthouse_pages::{
    Markup,
    frame::Flash,
    portal::{
        frame::{PortalFrame, PortalPlace},
        strings::Strings,
    },
};
use posthouse_schema::project::Project;
use salvo::{Handler, prelude::*};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Answer, PageError};
use crate::{
    app::App,
    auth::PortalHolder,
    dashboard::{Done, Operation, Origin},
    error::ApiError,
};

/// Who reads, and what is around the page.
pub struct Visit {
    /// The shared state.
    pub app: Arc<App>,
    /// The project.
    pub project: Arc<Project>,
    /// What is around the page.
    pub frame: PortalFrame,
    /// The text by which the page was opened: its forms are bound to it.
    pub credential: String,
    /// As whom operations are asked.
    pub holder: PortalHolder,
    /// Where the request came from.
    pub origin: Origin,
}

impl Visit {
    /// The visit of who came in.
    ///
    /// # Errors
    /// 401 where nobody did, which the router rules out.
    pub fn of(depot: &Depot) -> Result<Arc<Self>, PageError> {
        depot.get_typed::<Arc<Self>>().cloned().map_err(|_| ApiError::Unauthenticated.into())
    }

    /// The texts in the reader's language.
    pub const fn strings(&self) -> &'static Strings {
        self.frame.language.strings
    }

    /// What is around a page of this place.
    pub fn at(&self, place: PortalPlace) -> PortalFrame {
        PortalFrame { place, ..self.frame.clone() }
    }

    /// The same, and it says why something was not done.
    pub fn saying(&self, place: PortalPlace, text: String) -> PortalFrame {
        PortalFrame { flash: Some(Flash { is_good: false, text }), ..self.at(place) }
    }

    /// The way to another page, which says what was done.
    pub fn done(&self, rest: &str, query: &[(String, String)], what: &str) -> Answer {
        let mut all = query.to_vec();
        all.push(("done".into(), what.into()));
        Answer::Redirect(self.frame.link(rest, &all))
    }

    /// Asks an operation as the holder of the link, with the same checks and the same line of the audit log as by
    /// `/portal-api`.
    ///
    /// # Errors
    /// As [`Operation::run`].
    pub async fn ask(&self, handler: impl Handler, operation: Operation) -> Result<Done, ApiError> {
        operation.coming_from(self.origin.clone()).run_as_holder(handler, &self.app, self.holder).await
    }

    /// Asks for something that is to be shown.
    ///
    /// # Errors
    /// 404 where it is not there or not the reader's, which look the same; else as [`Self::ask`].
    pub async fn read<T: DeserializeOwned>(&self, handler: impl Handler, operation: Operation) -> Result<T, PageError> {
        let done = self.ask(handler, operation).await?;
        if !done.code.is_success() {
            return Err(absent(&done));
        }
        serde_json::from_value(done.data).map_err(|error| ApiError::Internal(error.into()).into())
    }

    /// Asks for a change, or for what may be refused for a reason. `Err`: why it was not made.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn change(
        &self,
        handler: impl Handler,
        operation: Operation,
    ) -> Result<Result<Value, String>, PageError> {
        let done = self.ask(handler, operation).await?;
        match done.code {
            code if code.is_success() => Ok(Ok(done.data)),
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Err(absent(&done)),
            _ => Ok(Err(done.message)),
        }
    }
}

fn absent(done: &Done) -> PageError {
    // A link that was revoked meanwhile is told from what is not its own.
    if done.code == StatusCode::UNAUTHORIZED && done.message == ApiError::BadCredentials.to_string() {
        return ApiError::BadCredentials.into();
    }
    PageError::not_found()
}

/// A page.
pub const fn page(markup: Markup) -> Answer {
    Answer::Page(markup)
}

/// An operation on what this part of the path names.
pub fn on(name: &'static str, id: &str) -> Operation {
    Operation::on(&[(name, id.to_string())])
}

/// A part of the path, which operations judge.
pub fn part(req: &Request, name: &str) -> String {
    req.param::<String>(name).unwrap_or_default()
}
