//! The pages of those who run the instance: who may read them, and the way to the job board.

use posthouse_boxed::boxed;
use posthouse_pages::{frame::Frame, job_board};
use posthouse_schema::pool::PooledConnection;
use salvo::{
    http::header::{HeaderValue, REFRESH},
    prelude::*,
};

use super::{
    answer::{PageError, PageResult, Redirection},
    job_queues, query, schedules, session,
    visit::{Visit, page},
};
use crate::{
    auth,
    board::{address, entry},
    error::ApiError,
};

/// The routes.
pub fn router() -> Router {
    Router::with_path("admin")
        .get(begin)
        .push(Router::with_path("board").get(open_board))
        .push(schedules::router())
        .push(job_queues::router())
}

#[handler]
#[boxed]
async fn begin() -> PageResult {
    Ok(Redirection::to(path("/schedules")).into())
}

/// The address of one of these pages.
pub fn path(rest: &str) -> String {
    format!("/admin{rest}")
}

/// Who runs the instance and reads one of these pages.
pub struct AdminVisit {
    /// Who, and what is around the page.
    pub visit: Visit,
    /// Where the job board is read, as far as that is known.
    pub board: Option<String>,
}

impl AdminVisit {
    /// The visit of who runs the instance.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub async fn of(req: &Request, depot: &Depot) -> Result<Self, PageError> {
        let mut visit = Visit::of(depot)?;
        auth::permit_instance(&visit.app, visit.user).await?;
        visit.frame.runs_instance = true;
        let board = address::board(address::host(req).as_deref(), &visit.app.settings);
        Ok(Self { visit, board })
    }

    /// What is around the page.
    pub const fn frame(&self) -> &Frame {
        &self.visit.frame
    }

    /// A database connection.
    ///
    /// # Errors
    /// 503 when there is none.
    pub async fn conn(&self) -> Result<PooledConnection, PageError> {
        Ok(self.visit.app.conn().await?)
    }
}

/// The job board: a browser that comes from there with a challenge is led back with a ticket, and every other one to the
/// board, which gives it one. Led by the page and not by its status: behind the form by which somebody signs in, a page's
/// policy keeps browsers from following to another address.
#[handler]
#[boxed]
async fn open_board(req: &mut Request, depot: &mut Depot, res: &mut Response) -> PageResult {
    let visit = AdminVisit::of(req, depot).await.map_err(|error| match ApiError::from(error) {
        ApiError::Forbidden(_) => ApiError::Forbidden(entry::REFUSAL),
        other => other,
    })?;
    let board = visit.board.as_deref().ok_or_else(PageError::not_found)?;
    let session = session::visitor(depot).session.ok_or(ApiError::Unauthenticated)?;
    let challenge = query::text(req, "challenge");
    let to = entry::way_on(&visit.visit.app, board, (challenge.as_str(), session.id, session.user.id)).await?;
    if let Ok(to) = HeaderValue::from_str(&format!("0; url={to}")) {
        res.headers_mut().insert(REFRESH, to);
    }
    Ok(page(job_board::way_on(visit.frame(), &to)))
}
