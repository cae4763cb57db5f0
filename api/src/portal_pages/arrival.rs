//! Coming to a page: who is let in, by a cookie or by the address, and whose forms count.

use std::sync::Arc;

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_pages::{
    frame::Flash,
    portal::{
        frame::{PAGE_TOKEN, PortalFrame, PortalPlace},
        strings::{Language, Strings, fill},
    },
};
use salvo::{http::Method, prelude::*};

use super::{
    answer::{PageError, liked, redirect},
    look::Look,
    session::{self, Carrier, PortalSession},
    visit::{Visit, part},
};
use crate::{
    app::{App, app},
    auth::{PortalHolder, portal_link, portal_pages_secret},
    dashboard::{Form, Origin, is_own},
    error::ApiError,
};

/// Keys of addresses that say how a page is shown, and not what.
const OF_FRAME: [&str; 4] = [PAGE_TOKEN, "lang", "done", "number"];

/// What becomes of a request.
enum Arrival {
    Visit(Box<Visit>, Look),
    /// The same page by a better address.
    Elsewhere(String, Option<(PortalHolder, String)>),
    /// A page that says why not, with how the portal looks where that is known.
    Refused(PageError, Look, Option<Language>),
}

/// Lets in who came by a link, and nobody else.
#[handler]
#[boxed]
pub async fn come_in(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let arrival = match app(depot) {
        Ok(app) => arrive(req, &app, Origin::of(req, res, &app)).await,
        Err(error) => Err(error),
    };
    match arrival.unwrap_or_else(|error| Arrival::Refused(error.into(), Look::default(), None)) {
        Arrival::Visit(visit, look) => {
            look.framing.apply(res.headers_mut());
            depot.insert_typed(Arc::new(*visit));
            return;
        }
        Arrival::Elsewhere(to, cookie) => {
            if let (Some((holder, value)), Ok(app)) = (cookie, app(depot)) {
                session::set_cookie(res, &app, holder, &value);
            }
            redirect(res, &to);
        }
        Arrival::Refused(error, look, language) => {
            if !look.name.is_empty() {
                look.framing.apply(res.headers_mut());
            }
            error.show(req, look, language, res);
        }
    }
    ctrl.skip_rest();
}

async fn arrive(req: &Request, app: &Arc<App>, origin: Origin) -> Result<Arrival, ApiError> {
    let key = portal_pages_secret(app).await?;
    let id = part(req, "portal_link_id");
    let own = |text: Option<String>, carrier| {
        let text = text.unwrap_or_default();
        let (session, expires) = PortalSession::read(&text, key, carrier)?;
        (session.holder.link.to_string() == id).then_some((text, session, expires))
    };
    let in_address = own(req.query::<String>(PAGE_TOKEN), Carrier::Address);
    let in_cookie = own(session::cookie(req, app), Carrier::Cookie);
    let is_reading = [Method::GET, Method::HEAD].contains(req.method());
    // A page is opened by the cookie where there is one. A form goes by what its page was opened with.
    let candidates = if is_reading {
        [in_cookie.map(|found| (found, Carrier::Cookie)), in_address.map(|found| (found, Carrier::Address))]
    } else {
        [in_address.map(|found| (found, Carrier::Address)), in_cookie.map(|found| (found, Carrier::Cookie))]
    };
    let now = Utc::now();
    let (mut look, mut language) = (Look::default(), None);
    for ((text, session, expires), carrier) in candidates.into_iter().flatten() {
        language = Language::find(&session.language);
        let Some(project) = app.project(session.holder.project).await? else { continue };
        look = Look::of(&project, app);
        let link = match portal_link(app, session.holder).await {
            Ok(link) if link.mark() == session.mark && expires > now => link,
            Ok(_) | Err(ApiError::BadCredentials) => continue,
            Err(error) => return Err(error),
        };
        let asked = req.query::<String>("lang").and_then(|code| Language::find(&code));
        let session = asked.map_or_else(|| session.clone(), |language| session.clone().speaking(language.code));
        let (path, query) = here(req, &id);
        if carrier == Carrier::Cookie && is_reading && has_to_move(req) {
            let cookie = asked.map(|_| (session.holder, session.sign(key, Carrier::Cookie, now)));
            return Ok(Arrival::Elsewhere(without_session(req, &id, (path, query)), cookie));
        }
        let page_token = match carrier {
            Carrier::Cookie => String::new(),
            Carrier::Address => session.sign(key, Carrier::Address, now),
        };
        let language = Language::find(&session.language).unwrap_or_else(|| liked(req));
        // The forms of this page go by what this page hands out; those that come in, by what theirs did.
        let csrf = session::form_token(if page_token.is_empty() { &text } else { &page_token });
        let frame = PortalFrame {
            now,
            language,
            name: look.name.clone(),
            logo: look.logo.clone(),
            sheet: look.sheet.clone(),
            scheme: look.scheme,
            base: format!("/portal/{id}"),
            page_token,
            csrf,
            can_manage: link.can_manage_endpoint,
            can_make: link.can_manage_endpoint && !link.owner_id.is_empty(),
            place: PortalPlace::default(),
            flash: told(req, language.strings),
            here: if is_reading { (path, query) } else { ("/endpoints".into(), Vec::new()) },
        };
        let holder = session.holder;
        let visit = Visit { app: Arc::clone(app), project, frame, credential: text, holder, origin };
        return Ok(Arrival::Visit(Box::new(visit), look));
    }
    Ok(Arrival::Refused(ApiError::BadCredentials.into(), look, language))
}

/// The page's address without what a cookie holds.
fn without_session(req: &Request, id: &str, (path, mut query): (String, Vec<(String, String)>)) -> String {
    let told = req.queries().iter().filter(|(key, _)| ["done", "number"].contains(&key.as_str()));
    query.extend(told.map(|(key, value)| (key.clone(), value.clone())));
    let frame = PortalFrame { base: format!("/portal/{id}"), ..PortalFrame::default() };
    frame.link(&path, &query)
}

/// Whether an address holds what it need not: a session beside a cookie, or a language that the cookie can keep.
fn has_to_move(req: &Request) -> bool {
    [PAGE_TOKEN, "lang"].iter().any(|key| req.queries().contains_key(*key))
}

/// The page's path below the portal, and what was asked of it.
fn here(req: &Request, id: &str) -> (String, Vec<(String, String)>) {
    let path = req.uri().path();
    let rest = path.strip_prefix(&format!("/portal/{id}")).filter(|rest| rest.starts_with('/'));
    let asked = req.queries().flat_iter().filter(|(key, _)| !OF_FRAME.contains(&key.as_str()));
    (rest.unwrap_or("/endpoints").to_string(), asked.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// What was just done, of which the address says only which one of ours it is.
fn told(req: &Request, t: &Strings) -> Option<Flash> {
    let text = match req.query::<String>("done")?.as_str() {
        "endpoint-made" => t.done_endpoint_made.clone(),
        "endpoint-changed" => t.done_endpoint_changed.clone(),
        "paused" => t.done_paused.clone(),
        "resumed" => t.done_resumed.clone(),
        "endpoint-deleted" => t.done_endpoint_deleted.clone(),
        "rolled" => t.done_rolled.clone(),
        "events-chosen" => t.done_events_chosen.clone(),
        "test-sent" => t.done_test_sent.clone(),
        "retrying" => t.done_retrying.clone(),
        "replayed" => t.done_replayed.clone(),
        "resent" => fill(&t.done_resent, &[("number", &req.query::<u32>("number").unwrap_or(1).to_string())]),
        _ => return None,
    };
    Some(Flash { is_good: true, text })
}

/// Lets reading through, and forms of the portal's own pages; the form is read on the way.
#[handler]
#[boxed]
pub async fn own_forms(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    if [Method::GET, Method::HEAD].contains(req.method()) {
        return;
    }
    let Err(error) = take_form(req, depot).await else { return };
    error.write(req, depot, res).await;
    ctrl.skip_rest();
}

async fn take_form(req: &mut Request, depot: &mut Depot) -> Result<(), PageError> {
    let visit = Visit::of(depot)?;
    let too_old = || -> PageError { ApiError::Forbidden(visit.strings().page_too_old.as_str()).into() };
    if !is_own(req.headers(), &visit.app) {
        return Err(too_old());
    }
    let form = Form::read(req, &visit.app).await.map_err(ApiError::from)?;
    if !session::is_form_token(&visit.credential, form.text("csrf")) {
        return Err(too_old());
    }
    depot.insert_typed(form);
    Ok(())
}
