//! Query strings: pages, dates, lists. Repeated keys form lists and blanks are dropped, contract sections 1.4 and 1.6.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDateTime, NaiveTime, Utc};
use posthouse_schema::page::{Direction, Page, PageRequest, Sort};
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use crate::{body::bounded, error::ApiError};

const PER_PAGE_DEFAULT: u32 = 20;
/// Rows of a page: more are asked for by paging.
const PER_PAGE_MAX: u32 = 1_000;
/// What older clients send as the cursor of the first page.
const NO_CURSOR: &str = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF";

/// The values of a key, without blanks.
pub fn list(req: &Request, key: &str) -> Vec<String> {
    req.queries().get_vec(key).into_iter().flatten().filter(|value| !value.trim().is_empty()).cloned().collect()
}

/// The first value of a key that is not blank.
pub fn one(req: &Request, key: &str) -> Option<String> {
    list(req, key).into_iter().next()
}

/// The first value of a key that is not blank, where it can be a stored text.
///
/// # Errors
/// 400 naming the key.
pub fn text(req: &Request, key: &'static str) -> Result<Option<String>, ApiError> {
    let text = one(req, key);
    text.iter().try_for_each(|text| bounded(key, text))?;
    Ok(text)
}

/// The ids of a key. One that is no id matches nothing: it stays in the list as an impossible one.
///
/// # Errors
/// 400 naming the key.
pub fn ids<Id: FromStr>(req: &Request, key: &'static str) -> Result<Vec<Id>, ApiError> {
    list(req, key)
        .iter()
        .map(|text| text.parse().map_err(|_| ApiError::invalid(format!("{key}: {} is not an id", printable(text)))))
        .collect()
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The page that is asked for.
///
/// # Errors
/// 400 for a number of rows that is out of bounds.
pub fn page<Id: Copy + FromStr>(req: &Request) -> Result<PageRequest<Id>, ApiError> {
    let per_page = match one(req, "perPage").map(|text| text.parse::<i64>()) {
        None | Some(Err(_)) => PER_PAGE_DEFAULT,
        Some(Ok(number)) => u32::try_from(number)
            .ok()
            .filter(|number| *number <= PER_PAGE_MAX)
            .ok_or_else(|| ApiError::invalid(format!("perPage: {number} is not between 0 and {PER_PAGE_MAX}")))?,
    };
    let direction = match one(req, "direction").as_deref() {
        None | Some("next") => Direction::Next,
        Some(_) => Direction::Previous,
    };
    let sort = if one(req, "sort").is_some_and(|sort| sort.eq_ignore_ascii_case("asc")) {
        Sort::Ascending
    } else {
        Sort::Descending
    };
    let key = if direction == Direction::Next { "next_page_cursor" } else { "prev_page_cursor" };
    // A cursor that is no id is no cursor, as clients have come to expect.
    let cursor = one(req, key).filter(|text| text != NO_CURSOR).and_then(|text| text.parse().ok());
    Ok(PageRequest { per_page, sort, direction, cursor })
}

/// The window of `startDate` and `endDate`: the last seven days where they are absent.
///
/// # Errors
/// 400 for a date that cannot be read, or a start after its end.
pub fn window(req: &Request, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let start = date(req, "startDate")
        .map_err(|()| ApiError::invalid("please specify a startDate in the format 2006-01-02T15:04:05"))?;
    let end = date(req, "endDate").map_err(|()| {
        ApiError::invalid("please specify a correct endDate in the format 2006-01-02T15:04:05 or none at all")
    })?;
    let start = start.unwrap_or_else(|| (now.date_naive() - Days::new(7)).and_time(NaiveTime::MIN).and_utc());
    let end = end.map_or_else(
        || (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc(),
        |end| end + chrono::TimeDelta::milliseconds(999),
    );
    if start > end { Err(ApiError::invalid("startDate cannot be greater than endDate")) } else { Ok((start, end)) }
}

/// Year 1 is how some clients say that they mean none.
fn date(req: &Request, key: &str) -> Result<Option<DateTime<Utc>>, ()> {
    let Some(text) = one(req, key) else { return Ok(None) };
    let naive = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S")
        .or_else(|_| DateTime::parse_from_rfc3339(&text).map(|date| date.naive_utc()))
        .map_err(|_| ())?;
    let date = naive.and_utc();
    Ok((chrono::Datelike::year(&date) > 1 && chrono::Datelike::year(&date) < 10_000).then_some(date))
}

/// A page on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paged<T: ToSchema + 'static> {
    /// The rows.
    pub content: Vec<T>,
    /// How to go on.
    pub pagination: Pagination,
}

/// How to go on from a page: a cursor names the first row of the page that it asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// Rows of a page.
    pub per_page: u32,
    /// Whether there are rows after these.
    pub has_next_page: bool,
    /// Whether there are rows before these.
    pub has_prev_page: bool,
    /// The first row of this page.
    pub prev_page_cursor: String,
    /// The first row of the next page, or the last row of this one when there is none.
    pub next_page_cursor: String,
}

impl<T: ToSchema + 'static> Paged<T> {
    /// A page of rows turned into wire objects; `id` gives a row's cursor.
    pub fn new<Row, Id: Copy + FromStr>(
        request: &PageRequest<Id>,
        page: Page<Row>,
        id: impl Fn(&Row) -> String,
        mut wire: impl FnMut(Row) -> T,
    ) -> Self {
        // A page of no rows still tells where the list begins.
        let first =
            page.rows.first().or(page.next.as_ref().filter(|_| request.per_page == 0)).map(&id).unwrap_or_default();
        // With fewer than two rows read there is nothing to go on to.
        let last = if request.per_page == 0 || page.rows.len() < 2 && page.next.is_none() {
            String::new()
        } else {
            page.next.as_ref().or(page.rows.last()).map(&id).unwrap_or_default()
        };
        let pagination = Pagination {
            per_page: request.per_page,
            has_next_page: page.next.is_some(),
            has_prev_page: page.has_previous,
            prev_page_cursor: first,
            next_page_cursor: last,
        };
        Self { content: page.rows.into_iter().map(&mut wire).collect(), pagination }
    }
}
