//! Queries of pages: those of the API, with what browsers leave out.

use std::str::FromStr;

use posthouse_pages::pager::Pager;
use posthouse_schema::page::{Page, PageRequest};
use salvo::Request;

use crate::{error::ApiError, query};

/// Rows of a page.
const PER_PAGE: &str = "50";
/// Dates, as browsers write them.
const DATES: [&str; 2] = ["startDate", "endDate"];

/// Completes the request's query: dates get their seconds, which browsers leave out, and pages their size.
pub fn complete(req: &mut Request) {
    for key in DATES {
        let Some(text) = query::one(req, key) else { continue };
        let colons = text.chars().filter(|c| *c == ':').count();
        if colons == 1 {
            req.queries_mut().remove(key);
            req.queries_mut().insert(key.into(), format!("{text}:00"));
        }
    }
    req.queries_mut().remove("perPage");
    req.queries_mut().insert("perPage".into(), PER_PAGE.into());
}

/// The page that is asked for.
///
/// # Errors
/// None that a browser can cause.
pub fn page<Id: Copy + FromStr>(req: &Request) -> Result<PageRequest<Id>, ApiError> {
    query::page(req)
}

/// The value of a key, as it was typed.
pub fn text(req: &Request, key: &str) -> String {
    query::one(req, key).unwrap_or_default()
}

/// What was asked for with these keys.
pub fn kept(req: &Request, keys: &[&str]) -> Vec<(String, String)> {
    let of_key =
        |key: &&str| query::list(req, key).into_iter().map(|value| ((*key).to_string(), value)).collect::<Vec<_>>();
    keys.iter().flat_map(of_key).collect()
}

/// The ways on from a page.
pub fn pager<Row>(path: String, query: Vec<(String, String)>, page: &Page<Row>, id: impl Fn(&Row) -> String) -> Pager {
    Pager {
        path,
        query,
        previous: page.rows.first().filter(|_| page.has_previous).map(&id),
        next: page.next.as_ref().map(&id),
    }
}
