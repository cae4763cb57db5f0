//! Rows that go one by one, because their day stays: a project keeps them for a shorter time than others, or something of that
//! day is still to be delivered. A page is a transaction of its own, and touches nothing that the hot path writes.

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventId, ProjectId},
    partitions::{self, Partition, PartitionedTable, midnight},
};

/// Rows that one statement takes: it takes a few milliseconds.
const PAGE_ROWS: i64 = 500;

const ENDED: &str = "status NOT IN ('Scheduled', 'Processing', 'Retry')";

/// A delivery has its event's time, so those of a day's events are among those of the day.
macro_rules! nothing_left {
    () => {
        "id NOT IN (SELECT d.event_id FROM event_deliveries d \
         WHERE d.id >= $2 AND d.id < $3 AND d.status IN ('Scheduled', 'Processing', 'Retry'))"
    };
}
const NOTHING_LEFT: &str = nothing_left!();

/// What goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Attempts.
    Attempts,
    /// Deliveries that have ended.
    Deliveries,
    /// Events with nothing left to deliver, their documents and their idempotency keys.
    Events,
    /// The data of such events, which stay.
    Payloads,
}

impl Scope {
    /// In the order in which they go: nothing is left without what it belongs to.
    pub const ALL: [Self; 4] = [Self::Attempts, Self::Deliveries, Self::Events, Self::Payloads];

    /// What is expired by this horizon, if anything is.
    #[must_use]
    pub const fn of(self, horizon: &super::Horizon) -> Option<DateTime<Utc>> {
        match self {
            Self::Attempts => Some(horizon.attempts),
            Self::Deliveries => Some(horizon.deliveries),
            Self::Events => Some(horizon.events),
            Self::Payloads => horizon.payloads,
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "delivery_attempts",
            Self::Deliveries => "event_deliveries",
            Self::Events => "events",
            Self::Payloads => "payloads",
        }
    }

    pub(super) const fn table(self) -> PartitionedTable {
        match self {
            Self::Attempts => PartitionedTable::DeliveryAttempts,
            Self::Deliveries => PartitionedTable::EventDeliveries,
            Self::Events | Self::Payloads => PartitionedTable::Events,
        }
    }

    /// What a row has to be, beside expired.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Attempts => "true",
            Self::Deliveries => ENDED,
            Self::Events => NOTHING_LEFT,
            Self::Payloads => concat!("octet_length(payload) > 0 AND ", nothing_left!()),
        }
    }

    const fn statement(self) -> &'static str {
        match self {
            Self::Attempts | Self::Deliveries => include_str!("../sql/purge_rows.sql"),
            Self::Events => include_str!("../sql/purge_events.sql"),
            Self::Payloads => include_str!("../sql/purge_payloads.sql"),
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The physical table that rows lie in, and between which instants those of it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    name: String,
    between: (DateTime<Utc>, DateTime<Utc>),
}

impl Scope {
    /// One day of it.
    #[must_use]
    pub fn day(self, day: NaiveDate) -> Place {
        let table = self.table();
        Place { name: Partition { table, day }.to_string(), between: (midnight(day), midnight(day + Days::new(1))) }
    }

    /// What has no day of its own, up to this instant.
    #[must_use]
    pub fn elsewhere(self, until: DateTime<Utc>) -> Place {
        Place { name: format!("{}_default", self.table().name()), between: (DateTime::UNIX_EPOCH, until) }
    }

    /// Everywhere that there is, between two instants.
    ///
    /// # Errors
    /// The database fails.
    pub async fn places(
        self,
        conn: &mut AsyncPgConnection,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> QueryResult<Vec<Place>> {
        let days = partitions::list(conn, self.table()).await?.into_iter().map(|partition| self.day(partition.day));
        let bounded = days.chain([self.elsewhere(until)]).map(|place| {
            let (begin, end) = place.between;
            Place { between: (begin.max(from), end.min(until)), ..place }
        });
        Ok(bounded.filter(|place| place.between.0 < place.between.1).collect())
    }

    /// Takes what has expired of the project, or of all, in one place, a page at a time. Returns how many rows went.
    ///
    /// # Errors
    /// The database fails; what went before stays gone.
    pub async fn purge(
        self,
        conn: &mut AsyncPgConnection,
        project: Option<ProjectId>,
        place: &Place,
    ) -> QueryResult<usize> {
        let statement = self.statement().replace("{partition}", &place.name).replace("{condition}", self.condition());
        let mut gone = 0;
        loop {
            let page: Count = diesel::sql_query(&statement)
                .bind::<Nullable<Uuid>, _>(project)
                .bind::<Uuid, _>(EventId::first_at(place.between.0))
                .bind::<Uuid, _>(EventId::first_at(place.between.1))
                .bind::<BigInt, _>(PAGE_ROWS)
                .get_result(conn)
                .await?;
            gone += usize::try_from(page.count).unwrap_or(0);
            if page.count == 0 {
                return Ok(gone);
            }
        }
    }
}
