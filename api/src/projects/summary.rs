//! The dashboard's first page: how many events a project had, by day, week, month or year.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use posthouse_boxed::boxed;
use posthouse_schema::event_count;
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use crate::{
    auth::{Need, scoped},
    error::{ApiError, ApiResult},
    query,
    reply::Reply,
};

/// How far back is looked: three years.
const DAYS_MAX: u64 = 1_096;

/// How a project does.
#[derive(Debug, Serialize, ToSchema)]
pub struct SummaryWire {
    /// Events of the whole time.
    pub events_sent: i64,
    /// Endpoints that there are now.
    pub apps: i64,
    /// `daily`, `weekly`, `monthly` or `yearly`.
    pub period: &'static str,
    /// The periods, the oldest first, those without events too.
    pub event_data: Vec<PeriodWire>,
}

/// One period.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PeriodWire {
    /// Which one.
    pub data: PeriodName,
    /// Its events.
    pub count: i64,
}

/// Which period it is.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PeriodName {
    /// Its number: the day of the year, the week, the month, or the year.
    pub index: i64,
    /// `2026-11-24` for a day, and for the week of that Monday; `2026-11`; `2026`.
    pub date: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Period {
    fn parse(word: &str) -> Option<(Self, &'static str)> {
        match word {
            "daily" => Some((Self::Daily, "daily")),
            "weekly" => Some((Self::Weekly, "weekly")),
            "monthly" => Some((Self::Monthly, "monthly")),
            "yearly" => Some((Self::Yearly, "yearly")),
            _ => None,
        }
    }

    /// The first day of the period that `day` lies in.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Daily => Some(day),
            Self::Weekly => day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))),
            Self::Monthly => day.with_day(1),
            Self::Yearly => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        };
        first.unwrap_or(day)
    }

    fn name(self, first_day: NaiveDate) -> PeriodName {
        let (index, format) = match self {
            Self::Daily => (i64::from(first_day.ordinal()), "%Y-%m-%d"),
            Self::Weekly => (i64::from(first_day.iso_week().week()), "%Y-%m-%d"),
            Self::Monthly => (i64::from(first_day.month()), "%Y-%m"),
            Self::Yearly => (i64::from(first_day.year()), "%Y"),
        };
        PeriodName { index, date: first_day.format(format).to_string() }
    }
}

/// Summarises a project
///
/// Query: `startDate`, `endDate` (now where it is missing), and `type`: `daily`, `weekly`, `monthly` or `yearly`. Looks back
/// three years at most. A day that is over is counted once, so that what expires later stays counted. A portal link counts what
/// went to its endpoints.
#[endpoint(tags("Projects"), operation_id = "GetDashboardSummary")]
#[boxed]
pub async fn get_summary(req: &mut Request, depot: &mut Depot) -> ApiResult<SummaryWire> {
    let (app, project, access) = scoped(req, depot, Need::View).await?;
    if query::one(req, "startDate").is_none() {
        return Err(ApiError::invalid("please specify a startDate in the format 2006-01-02T15:04:05"));
    }
    let now = Utc::now();
    let window = query::window(req, now)?;
    let (period, word) = query::one(req, "type")
        .and_then(|word| Period::parse(&word))
        .ok_or_else(|| ApiError::invalid("please specify a type query: daily, weekly, monthly or yearly"))?;
    let (first, last) = bounded(window, now);
    let mut conn = app.conn().await?;
    let (days, apps) = if let Some(endpoints) = access.own_endpoints() {
        let days = event_count::of_endpoints_by_day(&mut conn, project.id, endpoints, (first, last)).await?;
        (days, i64::try_from(endpoints.len()).unwrap_or(i64::MAX))
    } else {
        let days = event_count::by_day(&mut conn, project.id, (first, last), now).await?;
        (days, event_count::endpoints(&mut conn, project.id).await?)
    };
    drop(conn);
    let data = SummaryWire {
        events_sent: days.iter().map(|(_, count)| count).sum(),
        apps,
        period: word,
        event_data: periods(period, (first, last), &days),
    };
    Ok(Reply::ok("Dashboard summary fetched successfully", data))
}

/// The days of a window that are of interest.
fn bounded((start, end): (DateTime<Utc>, DateTime<Utc>), now: DateTime<Utc>) -> (NaiveDate, NaiveDate) {
    let today = now.date_naive();
    let last = end.date_naive().min(today);
    (start.date_naive().max(today - Days::new(DAYS_MAX)), last)
}

fn periods(period: Period, (first, last): (NaiveDate, NaiveDate), days: &[(NaiveDate, i64)]) -> Vec<PeriodWire> {
    let all = first.iter_days().take_while(|day| *day <= last);
    let mut sums: BTreeMap<NaiveDate, i64> = all.map(|day| (period.first_day(day), 0)).collect();
    for (day, count) in days {
        *sums.entry(period.first_day(*day)).or_default() += count;
    }
    sums.into_iter().map(|(first_day, count)| PeriodWire { data: period.name(first_day), count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_summed_up_by_period() {
        let bounds = (day("2025-12-30"), day("2026-01-06"));
        let days = [(day("2025-12-31"), 2), (day("2026-01-01"), 3), (day("2026-01-05"), 5)];
        let shown = |period| {
            let periods = periods(period, bounds, &days);
            periods.into_iter().map(|p| (p.data.date, p.data.index, p.count)).collect::<Vec<_>>()
        };
        assert_eq!(shown(Period::Daily).len(), 8);
        assert_eq!(shown(Period::Daily)[1], ("2025-12-31".into(), 365, 2));
        assert_eq!(shown(Period::Daily)[3], ("2026-01-02".into(), 2, 0));
        assert_eq!(shown(Period::Weekly), [("2025-12-29".into(), 1, 5), ("2026-01-05".into(), 2, 5)]);
        assert_eq!(shown(Period::Monthly), [("2025-12".into(), 12, 2), ("2026-01".into(), 1, 8)]);
        assert_eq!(shown(Period::Yearly), [("2025".into(), 2025, 2), ("2026".into(), 2026, 8)]);
    }

    #[test]
    fn a_window_ends_today_and_goes_back_three_years() {
        let now = day("2026-11-24").and_hms_opt(12, 0, 0).unwrap().and_utc();
        let at = |text: &str| day(text).and_hms_opt(0, 0, 0).unwrap().and_utc();
        assert_eq!(bounded((at("1990-01-01"), at("2036-01-01")), now), (day("2023-11-24"), day("2026-11-24")));
        assert_eq!(bounded((at("2026-11-01"), at("2026-11-03")), now), (day("2026-11-01"), day("2026-11-03")));
        assert!(periods(Period::Daily, bounded((at("2030-01-01"), at("2031-01-01")), now), &[]).is_empty());
    }
}
