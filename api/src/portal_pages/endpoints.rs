//! Endpoints: the list.

use posthouse_boxed::boxed;
use posthouse_pages::portal::{
    endpoints::{self as pages, EndpointLine, EndpointList},
    frame::PortalPlace,
};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult},
    endpoint, endpoint_form,
    visit::{Visit, page},
    wire::{EndpointRead, Paged, asked},
};
use crate::{
    dashboard::{Operation, query},
    endpoints::list_endpoints,
};

/// Endpoints to choose from.
const CHOICES_MAX: &str = "200";

/// The routes below a portal.
pub fn router() -> Router {
    Router::with_path("endpoints")
        .get(list)
        .push(Router::with_path("new").get(endpoint_form::new).post(endpoint_form::create))
        .push(endpoint::router())
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let operation = Operation::default().with_query(&asked(req, &["q"]));
    let found: Paged<EndpointRead> = visit.read(list_endpoints, operation).await?;
    let line = |row: EndpointRead| EndpointLine {
        id: row.uid,
        name: row.name,
        url: row.url,
        status: row.status,
        created_at: row.created_at,
    };
    let view = EndpointList {
        name_part: query::text(req, "q"),
        rows: found.content.into_iter().map(line).collect(),
        pager: found.pagination.pager("/endpoints", query::kept(req, &["q"])),
    };
    Ok(page(pages::page(&visit.at(PortalPlace::Endpoints), &view)))
}

/// The newest ones, by id and name, to choose from.
pub async fn choices(visit: &Visit) -> Result<Vec<(String, String)>, PageError> {
    let operation = Operation::default().with_query(&[("perPage".into(), CHOICES_MAX.into())]);
    let found: Paged<EndpointRead> = visit.read(list_endpoints, operation).await?;
    let mut all: Vec<(String, String)> = found.content.into_iter().map(|row| (row.uid, row.name)).collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(all)
}
