//! A project's first page.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_boxed::boxed;
use posthouse_pages::{
    chart::Bar,
    first_run::FirstRun,
    frame::Place,
    overview::{self, Activity, FailingEndpoint, Overview},
};
use posthouse_schema::{
    activity::{self, Period},
    deadline,
    endpoint::{Endpoint, EndpointFilter},
    event_count,
    ids::{EndpointId, ProjectId},
    page::{Direction, PageRequest, Sort},
    words::ProjectKind,
};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult},
    query, test_receiver,
    visit::{ProjectVisit, page},
};
use crate::{auth::Need, cache::Cache};

/// Sums are this old at most: many who look cost no more than one.
const ACTIVITY_TTL: Duration = Duration::from_secs(10);
const ACTIVITIES_MAX: usize = 1_000;
const FAILING_MAX: i64 = 5;

/// A period that can be shown: its word, its label, its length, and seconds of a bar.
type Shown = (&'static str, &'static str, TimeDelta, i64);

const PERIODS: [Shown; 3] = [
    ("hour", "Last hour", TimeDelta::hours(1), 300),
    ("day", "Last 24 hours", TimeDelta::hours(24), 1_800),
    ("week", "Last 7 days", TimeDelta::days(7), 14_400),
];

/// What happened in projects lately, by project and period.
#[derive(Debug)]
pub struct ActivityCache(Cache<(ProjectId, &'static str), Arc<Activity>>);

impl Default for ActivityCache {
    fn default() -> Self {
        Self(Cache::new(ACTIVITY_TTL, ACTIVITIES_MAX))
    }
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Overview, Need::View).await?;
    let asked = query::text(req, "period");
    let [_, day, _] = PERIODS;
    let shown = PERIODS.into_iter().find(|(word, ..)| *word == asked).unwrap_or(day);
    let first_run = first_run(req, &visit).await?;
    let activity = match &first_run {
        // Nothing can have happened.
        Some(first_run) if !first_run.has_event => Some(Arc::default()),
        _ => read(&visit, shown).await?,
    };
    let view = Overview {
        period: shown.0.into(),
        periods: PERIODS.iter().map(|(word, label, ..)| ((*word).to_string(), (*label).to_string())).collect(),
        activity: activity.map(Arc::unwrap_or_clone),
        first_run,
    };
    Ok(page(overview::page(visit.frame(), &view)))
}

/// The steps that are left; `None` when all are done.
async fn first_run(req: &Request, visit: &ProjectVisit) -> Result<Option<FirstRun>, PageError> {
    let mut conn = visit.conn().await?;
    let has = event_count::existing(&mut conn, visit.id()).await?;
    let is_incoming = visit.project.kind == ProjectKind::Incoming;
    if has.events && has.endpoints && has.subscriptions && (has.sources || !is_incoming) {
        return Ok(None);
    }
    let newest =
        PageRequest { per_page: 1, sort: Sort::Descending, direction: Direction::Next, cursor: None::<EndpointId> };
    let endpoints = Endpoint::list(&mut conn, visit.id(), &EndpointFilter::default(), &newest).await?;
    Ok(Some(FirstRun {
        api: test_receiver::host(req, &visit.visit.app),
        endpoint_id: endpoints.rows.first().map(|endpoint| endpoint.id.to_string()),
        has_subscription: has.subscriptions,
        has_event: has.events,
        is_incoming,
        has_source: has.sources,
    }))
}

/// What happened; `None`: summing it up took too long.
async fn read(visit: &ProjectVisit, shown: Shown) -> Result<Option<Arc<Activity>>, PageError> {
    let (cache, key) = (&visit.visit.app.activity.0, (visit.id(), shown.0));
    if let Some(known) = cache.get(&key) {
        return Ok(Some(known));
    }
    let (_, _, length, bar) = shown;
    let period = period(visit.frame().now, length, bar);
    let mut conn = visit.conn().await?;
    let summed = match activity::read(&mut conn, visit.id(), period, FAILING_MAX).await {
        Err(error) if deadline::has_passed(&error) => return Ok(None),
        other => other?,
    };
    let ids: Vec<EndpointId> = summed.failing.iter().map(|failing| failing.endpoint_id).collect();
    let endpoints = Endpoint::find_many(&mut conn, visit.id(), &ids).await?;
    drop(conn);
    let shown = Arc::new(view(&summed, &endpoints, (period, bar)));
    cache.put(key, Arc::clone(&shown));
    Ok(Some(shown))
}

/// The period that ends with the bar of `now`; bars begin at full minutes, half hours and so on.
fn period(now: DateTime<Utc>, length: TimeDelta, bar: i64) -> Period {
    let end = now.timestamp() - now.timestamp().rem_euclid(bar) + bar;
    let to = DateTime::from_timestamp(end, 0).unwrap_or(now);
    Period { from: to - length, to, bar_seconds: f64::from(i32::try_from(bar).unwrap_or(i32::MAX)) }
}

fn view(summed: &activity::Activity, endpoints: &[Endpoint], (period, bar): (Period, i64)) -> Activity {
    let step = TimeDelta::seconds(bar);
    let begins: Vec<DateTime<Utc>> =
        std::iter::successors(Some(period.from), |at| Some(*at + step)).take_while(|at| *at < period.to).collect();
    let label = |at: DateTime<Utc>| at.format(if bar < 14_400 { "%H:%M" } else { "%a %H:%M" }).to_string();
    let bars = |parts: &dyn Fn(DateTime<Utc>) -> Vec<i64>| {
        begins.iter().map(|at| Bar { label: label(*at), parts: parts(*at) }).collect::<Vec<_>>()
    };
    let events = bars(&|at| vec![summed.events.iter().find(|bar| bar.at == at).map_or(0, |bar| bar.events)]);
    let deliveries = bars(&|at| {
        summed
            .deliveries
            .iter()
            .find(|bar| bar.at == at)
            .map_or_else(|| vec![0; 4], |bar| vec![bar.success, bar.open, bar.discarded, bar.failure])
    });
    let failing = summed.failing.iter().map(|failing| {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == failing.endpoint_id);
        FailingEndpoint {
            id: failing.endpoint_id.to_string(),
            name: endpoint.map_or_else(|| failing.endpoint_id.to_string(), |endpoint| endpoint.name.clone()),
            status: endpoint.map_or_else(|| "deleted".into(), |endpoint| endpoint.status.to_string()),
            failures: failing.failures,
        }
    });
    Activity {
        events,
        deliveries,
        latency: summed.latency_seconds.map(|seconds| seconds.map(|seconds| seconds * 1_000.0)),
        failing: failing.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_cover_the_period_to_the_present() {
        let now = Utc::now();
        for (_, _, length, bar) in PERIODS {
            let period = period(now, length, bar);
            assert!(period.from < now && now < period.to && period.to - period.from == length);
            assert_eq!(period.from.timestamp() % bar, 0);
            let at = period.to - TimeDelta::seconds(bar);
            let summed = activity::Activity {
                events: vec![activity::EventBar { at, events: 7 }],
                deliveries: Vec::new(),
                latency_seconds: None,
                failing: Vec::new(),
            };
            let shown = view(&summed, &[], (period, bar));
            assert_eq!(i64::try_from(shown.events.len()).unwrap() * bar, length.num_seconds());
            assert_eq!(shown.events.last().unwrap().parts, [7]);
            assert_eq!(shown.deliveries.len(), shown.events.len());
        }
    }
}
