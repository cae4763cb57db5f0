//! What a page's handler answers: a page, or the way to another one; and pages for what went wrong.

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::{
    Markup,
    portal::{frame::PortalFrame, notice, strings::Language},
};
use salvo::{
    http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderValue, LOCATION},
    prelude::*,
};

use super::{look::Look, visit::Visit};
use crate::error::ApiError;

/// How operations say that a link does not allow something; the page says it in the reader's language.
const NOT_ALLOWED: &str = "Unauthorized";

/// What a handler answers.
pub type PageResult = Result<Answer, PageError>;

/// What is sent.
pub enum Answer {
    /// A page.
    Page(Markup),
    /// A page whose form was not in order, or that says why something was not done.
    Again(Markup),
    /// Another page is to be read.
    Redirect(String),
}

#[async_trait]
impl Writer for Answer {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Page(page) => render(res, StatusCode::OK, page),
            Self::Again(page) => render(res, StatusCode::UNPROCESSABLE_ENTITY, page),
            Self::Redirect(to) => redirect(res, &to),
        }
    }
}

fn render(res: &mut Response, code: StatusCode, page: Markup) {
    res.status_code(code);
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Err(error) = res.write_body(page.into_string()) {
        tracing::error!(%error, "A page could not be written.");
    }
}

/// Leads to another page.
pub fn redirect(res: &mut Response, to: &str) {
    res.status_code(StatusCode::SEE_OTHER);
    if let Ok(to) = HeaderValue::from_str(to) {
        res.headers_mut().insert(LOCATION, to);
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

    /// Shows it to who is not let in, with how their portal looks where that is known.
    pub fn show(&self, req: &Request, look: Look, language: Option<Language>, res: &mut Response) {
        let frame = PortalFrame {
            now: Utc::now(),
            language: language.unwrap_or_else(|| liked(req)),
            name: look.name,
            logo: look.logo,
            sheet: look.sheet,
            scheme: look.scheme,
            ..PortalFrame::default()
        };
        self.render(&frame, res);
    }

    fn render(&self, frame: &PortalFrame, res: &mut Response) {
        self.0.log();
        let code = match &self.0 {
            // What is not theirs looks like what is not there.
            ApiError::OutOfReach => StatusCode::NOT_FOUND,
            other => other.status(),
        };
        let text = match &self.0 {
            ApiError::Invalid(text) => text.to_string(),
            ApiError::Forbidden(text) if *text != NOT_ALLOWED => (*text).to_string(),
            _ => String::new(),
        };
        render(res, code, notice::error(frame, code.as_u16(), &text));
    }
}

/// The language that the browser likes best.
pub fn liked(req: &Request) -> Language {
    let accept = req.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Language::liked(accept)
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

#[async_trait]
impl Writer for PageError {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match Visit::of(depot) {
            Ok(visit) => self.render(&visit.frame, res),
            Err(_) => self.show(req, Look::default(), None, res),
        }
    }
}

/// Where no page is.
#[handler]
#[boxed]
pub async fn no_page() -> PageResult {
    Err(PageError::not_found())
}
