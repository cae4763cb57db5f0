//! A page's visit: who reads, in which project, and what is around the page.

use std::sync::Arc;

use chrono::Utc;
use posthouse_pages::{
    Markup,
    frame::{Frame, Person, Place, ProjectFrame},
};
use posthouse_schema::{
    ids::{AuditedId, ProjectId, UserId},
    organisation::Organisation,
    pool::PooledConnection,
    project::Project,
    words::{AuditedKind, AuditedWay, Role},
};
use salvo::{Handler, prelude::*};

use super::{
    answer::{Answer, PageError, Redirection},
    operation::{Done, Operation},
    origin::Origin,
    session::{self, Visitor},
};
use crate::{
    app::{App, app},
    audit::{Actor, reveal::Reveal},
    auth::{self, Access, Caller, Need, permit, scoped},
    error::ApiError,
};

/// Projects that the way to others shows.
const SIBLINGS_MAX: i64 = 100;

/// Who reads, and what is around the page.
pub struct Visit {
    /// The shared state.
    pub app: Arc<App>,
    /// Who.
    pub user: UserId,
    /// What is around the page.
    pub frame: Frame,
    origin: Origin,
}

/// The same in a project.
pub struct ProjectVisit {
    /// Who reads, and what is around the page.
    pub visit: Visit,
    /// The project.
    pub project: Arc<Project>,
    /// How far the reader reaches in it: everywhere.
    pub access: Access,
}

impl Visit {
    /// The visit of who is signed in.
    ///
    /// # Errors
    /// 401 where nobody is, which the router rules out.
    pub fn of(depot: &Depot) -> Result<Self, PageError> {
        let Visitor { session, theme, flash, here, origin } = session::visitor(depot);
        let session = session.ok_or(ApiError::Unauthenticated)?;
        let name = format!("{} {}", session.user.first_name, session.user.last_name).trim().to_string();
        let frame = Frame {
            now: Utc::now(),
            theme,
            csrf: session.token(),
            person: Some(Person { name, email: session.user.email.clone() }),
            flash,
            here,
            ..Frame::default()
        };
        Ok(Self { app: app(depot)?, user: session.user.id, frame, origin })
    }

    /// Does an operation of the API as this person.
    ///
    /// # Errors
    /// As [`Operation::run`].
    pub async fn run(&self, handler: impl Handler, operation: Operation) -> Result<Done, PageError> {
        let caller = Caller::User { user: self.user };
        Ok(operation.coming_from(self.origin.clone()).run(handler, &self.app, Some(caller)).await?)
    }
}

impl ProjectVisit {
    /// The visit of a project that the path names, if the reader may do with it what they `need`.
    ///
    /// # Errors
    /// 404 where it is not there or not theirs, which look the same; 403 for a role that is too small.
    pub async fn of(req: &Request, depot: &Depot, place: Place, need: Need) -> Result<Self, PageError> {
        let mut visit = Visit::of(depot)?;
        let (app, project, access) = scoped(req, depot, need).await.map_err(|error| match error {
            ApiError::Invalid(_) => PageError::not_found(),
            other => other.into(),
        })?;
        let role = auth::role(&app, project.organisation_id, visit.user).await?.ok_or_else(PageError::not_found)?;
        let mut conn = app.conn().await?;
        let organisation = Organisation::find(&mut conn, project.organisation_id).await?;
        let siblings = Project::list(&mut conn, project.organisation_id, SIBLINGS_MAX).await?;
        drop(conn);
        visit.frame.place = place;
        visit.frame.runs_instance = role == Role::InstanceAdmin;
        visit.frame.project = Some(ProjectFrame {
            id: project.id.to_string(),
            name: project.name.clone(),
            organisation: organisation.map(|organisation| organisation.name).unwrap_or_default(),
            is_manager: permit(role, Need::Manage).is_ok(),
            siblings: siblings.into_iter().map(|sibling| (sibling.id.to_string(), sibling.name)).collect(),
        });
        Ok(Self { visit, project, access })
    }

    /// What is around the page.
    pub const fn frame(&self) -> &Frame {
        &self.visit.frame
    }

    /// The project.
    pub fn id(&self) -> ProjectId {
        self.project.id
    }

    /// A database connection.
    ///
    /// # Errors
    /// 503 when there is none.
    pub async fn conn(&self) -> Result<PooledConnection, PageError> {
        Ok(self.visit.app.conn().await?)
    }

    /// That the reader is shown a secret of what this is.
    pub fn reveals(&self, action: &'static str, of: (AuditedKind, AuditedId)) -> Reveal<'_> {
        let by = (Actor::person(self.visit.user, None), AuditedWay::Dashboard);
        Reveal { action, of, project: &self.project, by }
    }

    /// The address of something in the project.
    pub fn path(&self, rest: &str) -> String {
        format!("/projects/{}{rest}", self.project.id)
    }

    /// An operation on something in the project.
    pub fn on(&self, params: &[(&'static str, String)]) -> Operation {
        let mut all = vec![("project_id", self.project.id.to_string())];
        all.extend_from_slice(params);
        Operation::on(&all)
    }

    /// Does an operation of the API in the project.
    ///
    /// # Errors
    /// As [`Operation::run`].
    pub async fn run(&self, handler: impl Handler, operation: Operation) -> Result<Done, PageError> {
        self.visit.run(handler, operation).await
    }
}

/// A page.
pub const fn page(markup: Markup) -> Answer {
    Answer::Page(markup)
}

/// Back to a page, which says what was done or why it was not.
pub fn said(to: String, done: &Done, good: &str) -> Answer {
    match done.problem(&[]) {
        Some(problem) => Redirection::to(to).saying(false, problem.text).into(),
        None => Redirection::to(to).saying(true, good).into(),
    }
}

/// An id in the path.
///
/// # Errors
/// 404 for a text that is none.
pub fn id<Id: std::str::FromStr>(req: &Request, name: &str) -> Result<Id, PageError> {
    req.param::<String>(name).and_then(|text| text.parse().ok()).ok_or_else(PageError::not_found)
}
