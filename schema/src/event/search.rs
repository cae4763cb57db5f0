//! Searches of events: candidates from the index of documents, from ids and from sources, then the events themselves, which
//! are checked again. What was stored within the last seconds may not be found yet.

use std::{collections::BTreeSet, time::Instant};

use chrono::TimeDelta;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, PgTextExpressionMethods, QueryDsl,
    QueryResult, QueryableByName,
    result::Error,
    sql_types::{Array, BigInt, Bool, Jsonb, Uuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    Event, EventFilter,
    document::{EventSearch, has_grams},
    list::{filtered, find_many},
    range::Range,
};
use crate::{
    deadline,
    endpoint::escape_like,
    ids::{EventId, ProjectId, SourceId},
    page::{Page, PageRequest},
    statement::Statement,
    tables::{events, sources},
};

/// Candidates that are looked at together, at most.
const CANDIDATES: i64 = 1_000;
/// Documents that are looked at before their index is asked: a few, and more where some of those match.
const NEWEST: (i64, i64) = (50, 500);
/// Sources whose name a search can match.
const SOURCES_MAX: i64 = 1_000;
/// Sources whose events are read one by one; those of more are found by looking at all events.
const SOURCES_READ_MAX: usize = 8;

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
            Statement::new(include_str!("../sql/search_plans.sql")).execute(conn).await?;
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
    // What is common is found among the newest, or within a day, with few candidates; for what is rare both grow.
    let (mut days, mut limit) = (1, page.rows_to_read().saturating_mul(5).clamp(100, CANDIDATES));
    let mut enough = Some(wanted);
    while found.len() < wanted {
        if began.elapsed() > deadline::QUERY_MAX {
            return Err(deadline::passed());
        }
        let slice = range.slice(TimeDelta::days(days));
        let (candidates, reached) = asked.candidates(conn, &slice, limit, enough.take()).await?;
        let missing = wanted - found.len();
        found.extend(asked.matched(conn, filter, (&candidates, slice.is_ascending), missing).await?);
        let reached = reached.map_or_else(
            || {
                days *= 8;
                slice.end()
            },
            |reached| {
                limit = CANDIDATES;
                reached
            },
        );
        if !range.go_beyond(reached) {
            break;
        }
    }
    found.truncate(wanted);
    Ok(found)
}

impl Asked<'_> {
    /// The next candidates of the range, in its order: all of it, or all up to and with the id that is returned. Where
    /// `enough` of them are among the newest documents, no more are asked for.
    async fn candidates(
        &self,
        conn: &mut AsyncPgConnection,
        range: &Range,
        limit: i64,
        enough: Option<usize>,
    ) -> QueryResult<(Vec<EventId>, Option<EventId>)> {
        let mut ids = BTreeSet::new();
        // Up to where each part has all that there is.
        let mut reached: Vec<EventId> = Vec::new();
        let is_indexed = self.search.text.as_deref().is_none_or(has_grams);
        if is_indexed {
            let newest = match enough {
                Some(enough) => self.among_newest(conn, range, (limit, enough)).await?,
                None => None,
            };
            let is_part = newest.is_some();
            let found = match newest {
                Some(found) => found,
                None => self.indexed(conn, range, limit).await?,
            };
            reached.extend(found.last().filter(|_| is_part || is_full(&found, limit)));
            ids.extend(found);
        }
        for (first, last, of_sources) in self.ranges(range, is_indexed) {
            let mut query = events::table
                .filter(events::project_id.eq(self.project))
                .filter(events::id.between(first, last))
                .select(events::id)
                .limit(limit)
                .into_boxed();
            query = match of_sources {
                [] => query,
                // Of one its index has them in order.
                [source] => query.filter(events::source_id.eq(source)),
                sources => query.filter(events::source_id.eq_any(sources)),
            };
            query = if range.is_ascending { query.order(events::id.asc()) } else { query.order(events::id.desc()) };
            let found = query.load::<EventId>(conn).await?;
            reached.extend(found.last().filter(|_| is_full(&found, limit)));
            ids.extend(found);
        }
        let reached = if range.is_ascending { reached.into_iter().min() } else { reached.into_iter().max() };
        let is_within = |id: &EventId| {
            reached.is_none_or(|reached| if range.is_ascending { *id <= reached } else { *id >= reached })
        };
        let mut ids: Vec<EventId> = ids.into_iter().filter(is_within).collect();
        if !range.is_ascending {
            ids.reverse();
        }
        Ok((ids, reached))
    }

    /// Ranges of ids that are candidates whatever their documents hold, of some sources or of none in particular.
    fn ranges(&self, range: &Range, is_indexed: bool) -> Vec<(EventId, EventId, &[Option<SourceId>])> {
        let mut ranges = Vec::new();
        if !is_indexed {
            // Too short for the index: everything is looked at, for as long as the deadline allows.
            ranges.push((range.first, range.last, [].as_slice()));
        } else if let Some((first, last)) = self.prefix {
            ranges.push((first.max(range.first), last.min(range.last), [].as_slice()));
        }
        // One by one where they are few.
        let together = if self.sources.len() <= SOURCES_READ_MAX { 1 } else { self.sources.len() };
        ranges.extend(self.sources.chunks(together).map(|sources| (range.first, range.last, sources)));
        ranges
    }

    /// `enough` of the newest documents that match, or more; `None` where they are too rare for that.
    async fn among_newest(
        &self,
        conn: &mut AsyncPgConnection,
        range: &Range,
        (limit, enough): (i64, usize),
    ) -> QueryResult<Option<Vec<EventId>>> {
        let (few, many) = NEWEST;
        let found = self.newest(conn, range, (few, limit)).await?;
        let is_common = i64::try_from(found.len()).unwrap_or(i64::MAX).saturating_mul(many / few)
            >= i64::try_from(enough).unwrap_or(i64::MAX);
        if found.len() >= enough || !is_common {
            return Ok((found.len() >= enough).then_some(found));
        }
        let found = self.newest(conn, range, (many, limit)).await?;
        Ok((found.len() >= enough).then_some(found))
    }

    async fn newest(
        &self,
        conn: &mut AsyncPgConnection,
        range: &Range,
        (looked_at, limit): (i64, i64),
    ) -> QueryResult<Vec<EventId>> {
        let found: Vec<Candidate> = Statement::ordered(include_str!("../sql/search_newest.sql"), range.is_ascending)
            .bind::<Uuid, _>(range.first)
            .bind::<Uuid, _>(range.last)
            .bind::<BigInt, _>(looked_at)
            .bind::<Jsonb, _>(self.search.wanted(self.project))
            .bind::<BigInt, _>(limit)
            .load(conn)
            .await?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    async fn indexed(&self, conn: &mut AsyncPgConnection, range: &Range, limit: i64) -> QueryResult<Vec<EventId>> {
        let (of_project, rest) = self.search.wanted_apart(self.project);
        let found: Vec<Candidate> = Statement::new(include_str!("../sql/search_candidates.sql"))
            .bind::<Jsonb, _>(of_project)
            .bind::<Jsonb, _>(rest)
            .bind::<Uuid, _>(range.first)
            .bind::<Uuid, _>(range.last)
            .bind::<Bool, _>(range.is_ascending)
            .bind::<BigInt, _>(limit)
            .load(conn)
            .await?;
        Ok(found.into_iter().map(|row| row.id).collect())
    }

    /// The first `limit` of the candidates that are found in truth, in the list's order.
    async fn matched(
        &self,
        conn: &mut AsyncPgConnection,
        filter: &EventFilter,
        (candidates, is_ascending): (&[EventId], bool),
        limit: usize,
    ) -> QueryResult<Vec<Event>> {
        let candidates = self.confirmed(conn, candidates).await?;
        let (Some(first), Some(last)) = (candidates.iter().min().copied(), candidates.iter().max().copied()) else {
            return Ok(Vec::new());
        };
        let mut query = filtered(self.project, filter)
            .filter(events::id.eq_any(candidates))
            .filter(events::id.between(first, last));
        if let Some(text) = &self.search.text {
            let part = format!("%{}%", escape_like(text));
            let has_text = events::event_type.ilike(part.clone()).or(events::idempotency_key.ilike(part));
            let of_sources =
                events::source_id.is_not_null().and(events::source_id.eq_any(self.sources.clone()).assume_not_null());
            let (from, to) = self.prefix.unwrap_or((EventId::from_bits(1), EventId::from_bits(0)));
            query = query.filter(has_text.or(of_sources).or(events::id.between(from, to)));
        }
        // Sorted here: for a page in order the planner would rather read everything between the first and the last.
        let mut ids: Vec<EventId> = query.select(events::id).load(conn).await?;
        ids.sort_unstable();
        if !is_ascending {
            ids.reverse();
        }
        ids.truncate(limit);
        let mut rows = find_many(conn, self.project, &ids).await?;
        rows.sort_by_key(|row| row.id);
        if !is_ascending {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The candidates that have the fields which are asked for. An id or a source may have named others.
    async fn confirmed(&self, conn: &mut AsyncPgConnection, candidates: &[EventId]) -> QueryResult<Vec<EventId>> {
        if candidates.is_empty() || (self.search.body.is_none() && self.search.headers.is_none()) {
            return Ok(candidates.to_vec());
        }
        let wanted = EventSearch { text: None, ..self.search.clone() }.wanted(self.project);
        let confirmed: Vec<Candidate> = Statement::new(include_str!("../sql/search_confirm.sql"))
            .bind::<Array<Uuid>, _>(candidates)
            .bind::<Jsonb, _>(wanted)
            .load(conn)
            .await?;
        Ok(confirmed.into_iter().map(|row| row.id).collect())
    }
}

fn is_full(ids: &[EventId], limit: i64) -> bool {
    ids.len() == usize::try_from(limit).unwrap_or(usize::MAX)
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
