//! Searches of events: candidates from the index of documents, from ids and from sources, then the events themselves, which
//! are checked again. What was stored within the last seconds may not be found yet.

use std::{collections::BTreeSet, time::Instant};

use chrono::TimeDelta;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, PgJsonbExpressionMethods,
    PgTextExpressionMethods, QueryDsl, QueryResult, QueryableByName, SelectableHelper,
    result::Error,
    sql_types::{BigInt, Bool, Jsonb, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    Event, EventFilter,
    document::{EventSearch, has_grams},
    list::filtered,
    range::Range,
};
use crate::{
    deadline,
    endpoint::escape_like,
    ids::{EventId, ProjectId, SourceId},
    page::{Page, PageRequest},
    statement::Statement,
    tables::{event_search, events, sources},
};

/// Candidates that are looked at together, at most.
const CANDIDATES: i64 = 1_000;
/// Sources whose name a search can match.
const SOURCES_MAX: i64 = 1_000;

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Uuid)]
    id: EventId,
}

/// What of a search is asked of which table.
struct Asked<'s> {
    project: ProjectId,
    search: &'s EventSearch,
    /// Ids that begin as the text does.
    prefix: Option<(EventId, EventId)>,
    /// Sources whose name has the text.
    sources: Vec<Option<SourceId>>,
}

/// A page of the project's events that the filter lets through and the search finds.
///
/// # Errors
/// The database fails, or it takes longer than [`deadline::QUERY_MAX`].
pub async fn search(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    filter: &EventFilter,
    search: &EventSearch,
    page: &PageRequest<EventId>,
) -> QueryResult<Page<Event>> {
    let rows = conn
        .transaction::<_, Error, _>(async |conn| {
            deadline::set(conn).await?;
            rows(conn, project, (filter, search), page).await
        })
        .await?;
    Ok(page.page(rows))
}

async fn rows(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (filter, search): (&EventFilter, &EventSearch),
    page: &PageRequest<EventId>,
) -> QueryResult<Vec<Event>> {
    let began = Instant::now();
    let asked = Asked {
        project,
        search,
        prefix: search.text.as_deref().and_then(with_prefix),
        sources: match &search.text {
            Some(text) => named_sources(conn, project, text).await?,
            None => Vec::new(),
        },
    };
    let wanted = usize::try_from(page.rows_to_read()).unwrap_or(usize::MAX);
    let mut range = Range::of(filter, page);
    let mut found: Vec<Event> = Vec::new();
    // What is common is found within a day, with few candidates; for what is rare both grow.
    let (mut days, mut limit) = (1, page.rows_to_read().saturating_mul(5).clamp(100, CANDIDATES));
    while found.len() < wanted {
        if began.elapsed() > deadline::QUERY_MAX {
            return Err(deadline::passed());
        }
        let slice = range.slice(TimeDelta::days(days));
        let candidates = asked.candidates(conn, &slice, limit).await?;
        let missing = wanted - found.len();
        found.extend(asked.matched(conn, filter, (&candidates, slice.is_ascending), missing).await?);
        let reached = match candidates.last() {
            Some(last) if candidates.len() == usize::try_from(limit).unwrap_or(usize::MAX) => {
                limit = CANDIDATES;
                *last
            }
            _ => {
                days *= 2;
                slice.end()
            }
        };
        if !range.go_beyond(reached) {
            break;
        }
    }
    found.truncate(wanted);
    Ok(found)
}

impl Asked<'_> {
    /// The next candidates of the range, in its order: all that come before the last of them are among them.
    async fn candidates(&self, conn: &mut AsyncPgConnection, range: &Range, limit: i64) -> QueryResult<Vec<EventId>> {
        let mut ids = BTreeSet::new();
        let is_indexed = self.search.text.as_deref().is_none_or(has_grams);
        if is_indexed {
            let wanted = self.search.wanted(self.project);
            let found: Vec<Candidate> = Statement::new(include_str!("../sql/search_candidates.sql"))
                .bind::<Jsonb, _>(wanted)
                .bind::<Uuid, _>(range.first)
                .bind::<Uuid, _>(range.last)
                .bind::<Bool, _>(range.is_ascending)
                .bind::<BigInt, _>(limit)
                .load(conn)
                .await?;
            ids.extend(found.into_iter().map(|row| row.id));
        }
        let mut ranges = Vec::new();
        if !is_indexed {
            // Too short for the index: everything is looked at, for as long as the deadline allows.
            ranges.push((range.first, range.last, false));
        } else if let Some((first, last)) = self.prefix {
            ranges.push((first.max(range.first), last.min(range.last), false));
        }
        if !self.sources.is_empty() {
            ranges.push((range.first, range.last, true));
        }
        for (first, last, is_of_sources) in ranges {
            let mut query = events::table
                .filter(events::project_id.eq(self.project))
                .filter(events::id.between(first, last))
                .select(events::id)
                .limit(limit)
                .into_boxed();
            if is_of_sources {
                query = query.filter(events::source_id.eq_any(&self.sources));
            }
            query = if range.is_ascending { query.order(events::id.asc()) } else { query.order(events::id.desc()) };
            ids.extend(query.load::<EventId>(conn).await?);
        }
        let kept = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(if range.is_ascending {
            ids.into_iter().take(kept).collect()
        } else {
            ids.into_iter().rev().take(kept).collect()
        })
    }

    /// The first `limit` of the candidates that are found in truth, in the list's order.
    async fn matched(
        &self,
        conn: &mut AsyncPgConnection,
        filter: &EventFilter,
        (candidates, is_ascending): (&[EventId], bool),
        limit: usize,
    ) -> QueryResult<Vec<Event>> {
        let (Some(first), Some(last)) = (candidates.iter().min(), candidates.iter().max()) else {
            return Ok(Vec::new());
        };
        let mut query = filtered(self.project, filter)
            .filter(events::id.eq_any(candidates.to_vec()))
            .filter(events::id.between(*first, *last));
        if let Some(text) = &self.search.text {
            let part = format!("%{}%", escape_like(text));
            let has_text = events::event_type.ilike(part.clone()).or(events::idempotency_key.ilike(part));
            let of_sources =
                events::source_id.is_not_null().and(events::source_id.eq_any(self.sources.clone()).assume_not_null());
            let (from, to) = self.prefix.unwrap_or((EventId::from_bits(1), EventId::from_bits(0)));
            query = query.filter(has_text.or(of_sources).or(events::id.between(from, to)));
        }
        if self.search.body.is_some() || self.search.headers.is_some() {
            // What came by its id or its source has to have the fields as well.
            let documents = event_search::table
                .filter(event_search::id.eq_any(candidates.to_vec()))
                .filter(
                    event_search::document
                        .contains(EventSearch { text: None, ..self.search.clone() }.wanted(self.project)),
                )
                .select(event_search::id);
            query = query.filter(events::id.eq_any(documents));
        }
        query = if is_ascending { query.order(events::id.asc()) } else { query.order(events::id.desc()) };
        query.select(Event::as_select()).limit(i64::try_from(limit).unwrap_or(i64::MAX)).load(conn).await
    }
}

async fn named_sources(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    text: &str,
) -> QueryResult<Vec<Option<SourceId>>> {
    let ids: Vec<SourceId> = sources::table
        .filter(sources::project_id.eq(project))
        .filter(sources::deleted_at.is_null())
        .filter(sources::name.ilike(format!("%{}%", escape_like(text))))
        .select(sources::id)
        .limit(SOURCES_MAX)
        .load(conn)
        .await?;
    Ok(ids.into_iter().map(Some).collect())
}

/// The first and the last id that begin with this text; `None` for a text with which no id begins.
fn with_prefix(text: &str) -> Option<(EventId, EventId)> {
    let text = text.trim();
    if text.is_empty() || text.len() > 26 || !text.is_ascii() {
        return None;
    }
    let padded = |with: char| text.chars().chain(std::iter::repeat(with)).take(26).collect::<String>();
    Some((padded('0').parse().ok()?, padded('Z').parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_encloses_the_ids_that_begin_with_it() {
        let id = EventId::generate();
        let text = id.to_string();
        for length in [1, 10, 25, 26] {
            let beginning: String = text.to_lowercase().chars().take(length).collect();
            let (first, last) = with_prefix(&beginning).unwrap();
            assert!(first <= id && id <= last, "{length}");
        }
        assert_eq!(with_prefix(&text), Some((id, id)));
        for text in ["", " ", "8", "invoice", "01U", "0000000000000000000000000000"] {
            assert_eq!(with_prefix(text), None, "{text}");
        }
    }
}
