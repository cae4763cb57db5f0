//! Trying everything again that failed and that a filter lets through, in the background.

use posthouse_boxed::boxed;
use posthouse_pages::{
    Markup,
    form::Problem,
    portal::{
        frame::PortalPlace,
        retry::{self as pages, RetryView},
    },
};
use salvo::prelude::*;
use serde_json::Value;

use super::{
    answer::{Answer, PageError, PageResult},
    deliveries::KEPT,
    endpoints,
    visit::{Visit, page},
};
use crate::{
    dashboard::{Operation, query},
    deliveries::{RETRY_IS_ACTIVE, batch_retry, count_batch_retry},
};

/// The routes below the deliveries.
pub fn router() -> Router {
    Router::with_path("retry").get(ask).post(begin)
}

/// What the list was asked, as browsers write it, and complete.
fn filter(req: &mut Request) -> [Vec<(String, String)>; 2] {
    let asked = query::kept(req, &KEPT);
    query::complete(req);
    [asked, query::kept(req, &KEPT)]
}

/// Asks before it is done, and says how many there are.
#[handler]
#[boxed]
pub async fn ask(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    Ok(page(shown(req, &visit, None).await?))
}

async fn shown(req: &mut Request, visit: &Visit, why: Option<String>) -> Result<Markup, PageError> {
    let [asked, complete] = filter(req);
    let (number, refused) = match visit.change(count_batch_retry, Operation::default().with_query(&complete)).await? {
        Ok(counted) => (counted.get("num").and_then(Value::as_i64).unwrap_or_default(), None),
        Err(refused) => (0, Some(refused)),
    };
    let view = RetryView {
        number,
        query: asked,
        endpoints: endpoints::choices(visit).await?,
        problem: why.or(refused).map(|text| Problem { field: String::new(), text }),
    };
    Ok(pages::page(&visit.at(PortalPlace::Deliveries), &view))
}

/// Begins it.
#[handler]
#[boxed]
pub async fn begin(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let [asked, complete] = filter(req);
    match visit.change(batch_retry, Operation::default().with_query(&complete)).await? {
        Ok(_) => Ok(visit.done("/deliveries", &asked, "retrying")),
        Err(why) => {
            let why = if why == RETRY_IS_ACTIVE { visit.strings().retry_is_active.clone() } else { why };
            Ok(Answer::Again(shown(req, &visit, Some(why)).await?))
        }
    }
}
