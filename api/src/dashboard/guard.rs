//! Requests that change something come from our own pages: by where the browser says they come from, and for who is signed
//! in by a token that only our pages know.

use posthouse_boxed::boxed;
use salvo::{
    http::{
        Method,
        header::{HOST, HeaderMap, HeaderName, ORIGIN},
    },
    prelude::*,
};
use url::Url;

use super::{answer::PageError, form::Form, session};
use crate::{
    app::{App, app},
    error::ApiError,
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const REFUSED: ApiError =
    ApiError::Forbidden("This form was not sent from here, or its page is too old. Open the page again and repeat it.");

/// Lets reading through, and what our own pages send; the form is read on the way.
#[handler]
#[boxed]
pub async fn same_origin(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    if is_reading(req) {
        return;
    }
    let form = match app(depot) {
        Ok(app) if is_own(req.headers(), &app) => Form::read(req, &app).await,
        Ok(_) => Err(REFUSED.into()),
        Err(error) => Err(error.into()),
    };
    match form {
        Ok(form) => drop(depot.insert_typed(form)),
        Err(error) => refuse(error, (req, depot, res), ctrl).await,
    }
}

/// Lets reading through, and forms with the session's token.
#[handler]
#[boxed]
pub async fn token(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let has_token =
        || session::visitor(depot).session.is_some_and(|session| session.is_token(Form::of(depot).text("csrf")));
    if !is_reading(req) && !has_token() {
        refuse(REFUSED.into(), (req, depot, res), ctrl).await;
    }
}

fn is_reading(req: &Request) -> bool {
    [Method::GET, Method::HEAD].contains(req.method())
}

/// Whether the browser says that one of our pages sent this. A browser says it with every form; what says nothing is none.
pub fn is_own(headers: &HeaderMap, app: &App) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (site, origin) = (text(FETCH_SITE), text(ORIGIN));
    let is_here = |origin: &str| {
        let url = Url::parse(origin).ok();
        let public = app.settings.accounts.public_url.origin();
        url.as_ref().is_some_and(|url| url.origin() == public)
            || origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && text(HOST) == Some(host))
    };
    match (site, origin) {
        (None, None) => false,
        (site, origin) => site.is_none_or(|site| site == "same-origin") && origin.is_none_or(is_here),
    }
}

async fn refuse(error: PageError, (req, depot, res): (&mut Request, &mut Depot, &mut Response), ctrl: &mut FlowCtrl) {
    error.write(req, depot, res).await;
    ctrl.skip_rest();
}
