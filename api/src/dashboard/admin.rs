//! The pages of those who run the instance: who may read them, and where the job board is.

use std::net::SocketAddr;

use posthouse_pages::frame::Frame;
use posthouse_schema::pool::PooledConnection;
use salvo::prelude::*;
use url::{Host, Url};

use super::{
    answer::{PageError, Redirection},
    job_queues, schedules,
    visit::Visit,
};
use crate::{app::App, auth};

/// The routes.
pub fn router() -> Router {
    Router::with_path("admin").get(begin).push(schedules::router()).push(job_queues::router())
}

#[handler]
async fn begin() -> super::answer::PageResult {
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
        let board = board(req.header::<String>("host").as_deref(), &visit.app);
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

fn board(host: Option<&str>, app: &App) -> Option<String> {
    match &app.settings.board_url {
        Some(url) => Some(url.to_string()),
        None => beside(host?, app.settings.board_listen?),
    }
}

/// The board at the host at which the dashboard is read. One that listens at the machine itself is found from there alone.
fn beside(host: &str, listen: SocketAddr) -> Option<String> {
    let mut url = Url::parse(&format!("http://{host}/")).ok()?;
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    url.set_port(Some(listen.port())).ok()?;
    (is_local || !listen.ip().is_loopback()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_is_beside_the_dashboard_where_it_can_be_reached() {
        let (loopback, open): (SocketAddr, SocketAddr) =
            ("127.0.0.1:5010".parse().unwrap(), "0.0.0.0:5010".parse().unwrap());
        for (host, listen, expected) in [
            ("127.0.0.1:5005", loopback, Some("http://127.0.0.1:5010/")),
            ("localhost:5005", loopback, Some("http://localhost:5010/")),
            ("[::1]:5005", open, Some("http://[::1]:5010/")),
            ("hooks.example.com", loopback, None),
            ("hooks.example.com", open, Some("http://hooks.example.com:5010/")),
            ("a b", open, None),
        ] {
            assert_eq!(beside(host, listen).as_deref(), expected, "{host} {listen}");
        }
    }
}
