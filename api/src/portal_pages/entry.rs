//! The way in: a link's address holds what proves its holder, and leads at once to one that does not.

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::portal::frame::{PAGE_TOKEN, PortalFrame};
use salvo::prelude::*;

use super::{
    answer::{Answer, PageError, PageResult, redirect},
    look::Look,
    session::{self, Carrier, PortalSession},
    visit::Visit,
};
use crate::{
    app::{App, app},
    auth::{open_portal, portal_link, portal_pages_secret},
    error::ApiError,
};

/// Comes in by a link: `token`, or the key `auth_token` beside it. Whether the browser keeps a cookie for us is seen by the
/// next request, whose address opens the portal as well, for a while.
#[handler]
#[boxed]
pub async fn enter(req: &mut Request, depot: &mut Depot, res: &mut Response) {
    let came = match app(depot) {
        Ok(app) => come(req, &app, res).await,
        Err(error) => Err(error),
    };
    match came {
        Ok((to, look)) => {
            // Some browsers ask each answer on the way to a frame's page who may frame it.
            look.framing.apply(res.headers_mut());
            redirect(res, &to);
        }
        Err(error) => PageError::from(error).show(req, Look::default(), None, res),
    }
}

async fn come(req: &Request, app: &App, res: &mut Response) -> Result<(String, Look), ApiError> {
    let given =
        |key: &str| req.query::<String>(key).map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    let credential = given("auth_token").or_else(|| given("token")).ok_or(ApiError::BadCredentials)?;
    let (holder, end) = open_portal(&credential, app).await?.ok_or(ApiError::BadCredentials)?;
    let link = portal_link(app, holder).await?;
    let project = app.project(holder.project).await?.ok_or(ApiError::BadCredentials)?;
    let now = Utc::now();
    let session = PortalSession::begin(holder, link.mark(), end, now).speaking(&given("lang").unwrap_or_default());
    let key = portal_pages_secret(app).await?;
    session::set_cookie(res, app, holder, &session.sign(key, Carrier::Cookie, now));
    let frame = PortalFrame { base: format!("/portal/{}", holder.link), ..PortalFrame::default() };
    let to = frame.link("/endpoints", &[(PAGE_TOKEN.into(), session.sign(key, Carrier::Address, now))]);
    Ok((to, Look::of(&project, app)))
}

/// The portal's first page.
#[handler]
#[boxed]
pub async fn first(depot: &mut Depot) -> PageResult {
    Ok(Answer::Redirect(Visit::of(depot)?.frame.path("/endpoints")))
}
