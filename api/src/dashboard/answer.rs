//! What a page's handler answers: a page, the way to another one, or a file; and pages for what went wrong.

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::{
    Markup,
    frame::{Flash, Frame, Person},
    link::Link,
    notice,
};
use posthouse_schema::QueryError;
use salvo::{
    http::{
        Method,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION},
    },
    prelude::*,
};

use super::{cookies, headers, session};
use crate::{app::app, error::ApiError};

/// What a handler answers.
pub type PageResult = Result<Answer, PageError>;

/// What is sent.
pub enum Answer {
    /// A page.
    Page(Markup),
    /// A form that was not in order, once more.
    Again(Markup),
    /// Another page is to be read.
    Redirect(Redirection),
    /// A file to keep, with its name.
    File(String, Vec<u8>),
}

/// The way to another page of the dashboard.
#[derive(Debug, Clone)]
pub struct Redirection {
    to: String,
    flash: Option<Flash>,
}

impl Redirection {
    /// To this path.
    pub fn to(path: impl Into<String>) -> Self {
        Self { to: path.into(), flash: None }
    }

    /// To where one signs in, and then to `next`.
    pub fn to_sign_in(next: &str) -> Self {
        let link = Link::to("/sign-in");
        Self::to(link.with_query(&[("next".to_string(), next.to_string())]).build())
    }

    /// The same, and says there what was done.
    pub fn saying(self, is_good: bool, text: impl Into<String>) -> Self {
        Self { flash: Some(Flash { is_good, text: text.into() }), ..self }
    }

    /// Writes it.
    pub async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        if let (Some(flash), Ok(app)) = (&self.flash, app(depot)) {
            cookies::flash(&app).set(res, &cookies::encode(flash), Some(60));
        }
        res.status_code(StatusCode::SEE_OTHER);
        if let Ok(to) = HeaderValue::from_str(&self.to) {
            res.headers_mut().insert(LOCATION, to);
        }
    }
}

impl From<Redirection> for Answer {
    fn from(redirection: Redirection) -> Self {
        Self::Redirect(redirection)
    }
}

#[async_trait]
impl Writer for Answer {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Page(page) => render(res, StatusCode::OK, page),
            Self::Again(page) => render(res, StatusCode::UNPROCESSABLE_ENTITY, page),
            Self::Redirect(redirection) => redirection.write(req, depot, res).await,
            Self::File(name, bytes) => {
                // A payload is what others wrote: it is kept, and never shown as a page of ours.
                res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                if let Ok(kept) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
                    res.headers_mut().insert(CONTENT_DISPOSITION, kept);
                }
                write(res, bytes);
            }
        }
    }
}

fn render(res: &mut Response, code: StatusCode, page: Markup) {
    res.status_code(code);
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    write(res, page.into_string().into_bytes());
}

fn write(res: &mut Response, bytes: Vec<u8>) {
    if let Err(error) = res.write_body(bytes) {
        tracing::error!(%error, "A page could not be written.");
    }
}

/// A page that cannot be shown.
#[derive(Debug)]
pub struct PageError(ApiError);

impl PageError {
    /// There is no such thing, or it is not the reader's.
    pub const fn not_found() -> Self {
        Self(ApiError::NotFound(""))
    }
}

impl From<PageError> for ApiError {
    fn from(error: PageError) -> Self {
        error.0
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<QueryError> for PageError {
    fn from(error: QueryError) -> Self {
        Self(error.into())
    }
}

#[async_trait]
impl Writer for PageError {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        self.0.log();
        let code = self.0.status();
        let text = if code.is_server_error() { String::new() } else { self.0.to_string() };
        render(res, code, notice::error(&frame(depot), code.as_u16(), &text));
    }
}

/// What is around a page that belongs to no project.
fn frame(depot: &Depot) -> Frame {
    let visitor = session::visitor(depot);
    let (csrf, person) = visitor.session.as_ref().map_or_else(Default::default, |session| {
        let user = &session.user;
        let name = format!("{} {}", user.first_name, user.last_name).trim().to_string();
        (session.token(), Some(Person { name, email: user.email.clone() }))
    });
    Frame { now: Utc::now(), theme: visitor.theme, csrf, person, here: visitor.here, ..Frame::default() }
}

/// Where no page is.
#[handler]
#[boxed]
pub async fn no_page() -> PageResult {
    Err(PageError::not_found())
}

/// Paths whose answers programs read.
const OF_PROGRAMS: [&str; 6] = ["/api/", "/ui/", "/portal-api/", "/ingest/", "/assets/", "/test-receiver/"];

/// Whether the request is a browser's, for a page.
pub fn wants_page(req: &Request) -> bool {
    let accepts_html = req
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let is_reading = [Method::GET, Method::HEAD].contains(req.method());
    is_reading && accepts_html && OF_PROGRAMS.iter().all(|begin| !req.uri().path().starts_with(begin))
}

/// Pages for browsers where no handler gave an answer; programs get what they always got.
#[handler]
#[boxed]
pub async fn catch(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let code = res.status_code.unwrap_or(StatusCode::NOT_FOUND);
    if wants_page(req) && (code == StatusCode::NOT_FOUND || code.is_server_error()) {
        if !res.headers().contains_key(CONTENT_SECURITY_POLICY) {
            headers::protect.handle(req, depot, res, ctrl).await;
        }
        render(res, code, notice::error(&frame(depot), code.as_u16(), ""));
        ctrl.skip_rest();
    }
}
