//! Portal links: made, changed, opened and revoked.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    frame::Place,
    portal_links::{self as pages, FIELDS, PortalLinkLine, PortalLinkList, PortalLinkView},
    values::{self, Values},
};
use posthouse_schema::{
    endpoint::{Endpoint, EndpointFilter},
    endpoint_owner,
    ids::{AuditedId, EndpointId, PortalLinkId},
    page::{Direction, PageRequest, Sort},
    portal_link::{PortalLink, PortalLinkFilter},
    words::AuditedKind,
};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageError, PageResult, Redirection},
    form::Form,
    operation::Done,
    query, test_receiver,
    visit::{ProjectVisit, id, page, said},
};
use crate::{
    audit::reveal::Reveal,
    auth::Need,
    portal_links::{create_portal_link, get_portal_link, refresh_portal_link, revoke_portal_link, update_portal_link},
};

/// Endpoints to choose from.
const ENDPOINTS_MAX: u32 = 500;
/// What stays from page to page.
const KEPT: [&str; 2] = ["q", "ownerId"];
const LISTED: &str = "endpoints";

/// The routes below a project.
pub fn router() -> Router {
    let one = Router::with_path("{portal_link_id}")
        .get(show)
        .post(update)
        .push(Router::with_path("url").post(open))
        .push(Router::with_path("revoke").post(revoke));
    Router::with_path("portal-links").get(list).push(Router::with_path("new").get(new).post(create)).push(one)
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::View).await?;
    query::complete(req);
    let filter = PortalLinkFilter {
        name_part: crate::query::text(req, "q")?,
        owner_id: crate::query::text(req, "ownerId")?,
        endpoint_ids: Vec::new(),
    };
    let request = query::page::<PortalLinkId>(req)?;
    let found = PortalLink::list(&mut *visit.conn().await?, visit.id(), &filter, &request).await?;
    let pager = query::pager(visit.path("/portal-links"), query::kept(req, &KEPT), &found, |row| row.id.to_string());
    let counts = counts(&visit, &found.rows).await?;
    let rows = found.rows.iter().zip(counts).map(|(row, count)| line(row, count)).collect();
    let view = PortalLinkList {
        name_part: filter.name_part.unwrap_or_default(),
        owner: filter.owner_id.unwrap_or_default(),
        rows,
        pager,
    };
    Ok(page(pages::list(visit.frame(), &view)))
}

/// How many endpoints each opens.
async fn counts(visit: &ProjectVisit, rows: &[PortalLink]) -> Result<Vec<i64>, PageError> {
    let owners: Vec<&str> = rows.iter().map(|row| row.owner_id.as_str()).filter(|owner| !owner.is_empty()).collect();
    let of_owners = endpoint_owner::counts_of(&mut *visit.conn().await?, visit.id(), &owners).await?;
    let count = |row: &PortalLink| match row.owner_id.as_str() {
        "" => i64::try_from(row.endpoint_ids.len()).unwrap_or(i64::MAX),
        own => of_owners.iter().find(|(owner, _)| owner == own).map_or(0, |(_, number)| *number),
    };
    Ok(rows.iter().map(count).collect())
}

async fn line_of(visit: &ProjectVisit, row: &PortalLink) -> Result<PortalLinkLine, PageError> {
    Ok(line(row, counts(visit, std::slice::from_ref(row)).await?.first().copied().unwrap_or_default()))
}

fn line(row: &PortalLink, endpoints: i64) -> PortalLinkLine {
    PortalLinkLine {
        id: row.id.to_string(),
        name: row.name.clone(),
        owner: row.owner_id.clone(),
        endpoints,
        can_manage: row.can_manage_endpoint,
        auth_type: row.auth_type.to_string(),
        created_at: row.created_at,
    }
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::Manage).await?;
    let values = Values::default().with("owner_id", query::text(req, "ownerId"));
    let view = PortalLinkView { endpoints: endpoints(&visit).await?, values, ..PortalLinkView::default() };
    Ok(page(pages::one(visit.frame(), &view)))
}

/// The newest endpoints, by name.
async fn endpoints(visit: &ProjectVisit) -> Result<Vec<(String, String)>, PageError> {
    let newest = PageRequest {
        per_page: ENDPOINTS_MAX,
        sort: Sort::Descending,
        direction: Direction::Next,
        cursor: None::<EndpointId>,
    };
    let found = Endpoint::list(&mut *visit.conn().await?, visit.id(), &EndpointFilter::default(), &newest).await?;
    let mut all: Vec<(String, String)> = found.rows.into_iter().map(|row| (row.id.to_string(), row.name)).collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(all)
}

/// What the API is asked for.
fn body(form: &Form) -> Result<Value, Problem> {
    let mut body = json!({"endpoints": form.all(LISTED)});
    values::write(&mut body, &FIELDS, |name| form.text(name)).map(|()| body)
}

/// What was wrong, by field.
fn problem(done: &Done) -> Option<Problem> {
    let problem = done.problem(&[LISTED])?;
    Some(if problem.field.is_empty() { Problem::within(&problem.text, &FIELDS) } else { problem })
}

async fn again(visit: &ProjectVisit, line: Option<PortalLinkLine>, form: &Form, problem: Problem) -> PageResult {
    let view = PortalLinkView {
        line,
        values: Values::typed(&FIELDS, |name| form.text(name), &Values::default()),
        endpoints: endpoints(visit).await?,
        chosen: form.all(LISTED).into_iter().map(str::to_string).collect(),
        problem: Some(problem),
        url: None,
    };
    Ok(Answer::Again(pages::one(visit.frame(), &view)))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::Manage).await?;
    let form = Form::of(depot);
    let body = match body(&form) {
        Ok(body) => body,
        Err(problem) => return again(&visit, None, &form, problem).await,
    };
    let done = visit.run(create_portal_link, visit.on(&[]).with_body(body)).await?;
    match problem(&done) {
        Some(problem) => again(&visit, None, &form, problem).await,
        None => Ok(said(own(&visit, &done.text("/uid")), &done, "The portal link is made.")),
    }
}

fn own(visit: &ProjectVisit, id: &str) -> String {
    visit.path(&format!("/portal-links/{id}"))
}

async fn find(req: &Request, visit: &ProjectVisit) -> Result<PortalLink, PageError> {
    let id: PortalLinkId = id(req, "portal_link_id")?;
    PortalLink::find(&mut *visit.conn().await?, visit.id(), id).await?.ok_or_else(PageError::not_found)
}

fn on(row: &PortalLink) -> [(&'static str, String); 1] {
    [("portal_link_id", row.id.to_string())]
}

/// Shows one.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::View).await?;
    let row = find(req, &visit).await?;
    shown(&visit, &row, None).await
}

async fn shown(visit: &ProjectVisit, row: &PortalLink, url: Option<String>) -> PageResult {
    let document = json!({
        "name": row.name,
        "owner_id": row.owner_id,
        "can_manage_endpoint": row.can_manage_endpoint,
        "auth_type": row.auth_type.to_string(),
    });
    let view = PortalLinkView {
        line: Some(line_of(visit, row).await?),
        values: Values::of(&FIELDS, &document),
        endpoints: endpoints(visit).await?,
        chosen: row.endpoint_ids.iter().flatten().map(ToString::to_string).collect(),
        problem: None,
        url,
    };
    Ok(page(pages::one(visit.frame(), &view)))
}

/// Shows it with the URL that opens it: asked for by a form, so that no link, cache or history has it.
#[handler]
#[boxed]
pub async fn open(req: &mut Request, depot: &mut Depot, res: &mut Response) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::Manage).await?;
    let row = find(req, &visit).await?;
    let of = (AuditedKind::PortalLink, AuditedId::from_bits(row.id.to_bits()));
    visit.reveals(Reveal::PORTAL_LINK, of).note(&visit.visit.app, req, res).await?;
    let read = visit.run(get_portal_link, visit.on(&on(&row))).await?;
    let mut url = read.text("/url");
    if url.starts_with('/') {
        url = format!("{}{url}", test_receiver::host(req, &visit.visit.app));
    }
    if row.auth_type.as_str() == "refresh_token" {
        let made = visit.run(refresh_portal_link, visit.on(&on(&row))).await?;
        if made.problem(&[]).is_some() {
            return Ok(said(own(&visit, &row.id.to_string()), &made, ""));
        }
        url = format!("{url}&auth_token={}", made.data.as_str().unwrap_or_default());
    }
    shown(&visit, &row, Some(url)).await
}

/// Changes it.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::Manage).await?;
    let (form, row) = (Form::of(depot), find(req, &visit).await?);
    let line = line_of(&visit, &row).await?;
    let body = match body(&form) {
        Ok(body) => body,
        Err(problem) => return again(&visit, Some(line), &form, problem).await,
    };
    let done = visit.run(update_portal_link, visit.on(&on(&row)).with_body(body)).await?;
    match problem(&done) {
        Some(problem) => again(&visit, Some(line), &form, problem).await,
        None => Ok(said(own(&visit, &row.id.to_string()), &done, "The portal link is changed.")),
    }
}

/// Ends it for good.
#[handler]
#[boxed]
pub async fn revoke(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::PortalLinks, Need::Manage).await?;
    let row = find(req, &visit).await?;
    let done = visit.run(revoke_portal_link, visit.on(&on(&row))).await?;
    if done.problem(&[]).is_some() {
        return Ok(said(own(&visit, &row.id.to_string()), &done, ""));
    }
    Ok(Redirection::to(visit.path("/portal-links")).saying(true, "The portal link is revoked.").into())
}
