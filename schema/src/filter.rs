//! Filters of subscriptions, each for one event type or, as `*`, for all that have none of their own. What a filter means
//! is not this module's: it keeps conditions as JSON objects.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    ids::{FilterId, ProjectId, SubscriptionId},
    tables::subscription_filters,
};

/// The event type of the filter that stands in for every type without a filter of its own.
pub const EVERY_TYPE: &str = "*";

/// What decides about events of one type that a subscription is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deciding<F> {
    /// The enabled filter of this very type: its events are wanted, whatever the subscription's event types say.
    Own(F),
    /// The enabled filter for every type.
    Every(F),
    /// Nothing gets through: the filter for every type is disabled.
    Nothing,
    /// The subscription's event types alone.
    EventTypes,
}

/// What decides where a subscription has, or has not, a filter for the type itself and one for every type. A disabled filter
/// of a type is as if it were not there.
pub fn deciding<F>(own: Option<F>, every: Option<F>, is_enabled: impl Fn(&F) -> bool) -> Deciding<F> {
    match (own, every) {
        (Some(own), _) if is_enabled(&own) => Deciding::Own(own),
        (_, Some(every)) if is_enabled(&every) => Deciding::Every(every),
        (_, Some(_)) => Deciding::Nothing,
        (_, None) => Deciding::EventTypes,
    }
}

/// A row of `subscription_filters`.
#[derive(Debug, Clone, PartialEq, Eq, HasQuery, Identifiable)]
#[diesel(table_name = subscription_filters, primary_key(project_id, subscription_id, id))]
pub struct FilterRow {
    /// The project.
    pub project_id: ProjectId,
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The filter.
    pub id: FilterId,
    /// The exact event type, or `*`.
    pub event_type: String,
    /// Since when it is enabled; `None` for a filter that is as if it were not there.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Conditions on headers, an object.
    pub headers: Value,
    /// Conditions on the data, an object.
    pub body: Value,
    /// Conditions on query parameters, an object.
    pub query: Value,
    /// Conditions on the path, an object.
    pub path: Value,
}

/// What a caller can set.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, AsChangeset)]
#[diesel(table_name = subscription_filters, treat_none_as_null = true)]
pub struct FilterValues {
    /// The exact event type, or `*`.
    pub event_type: String,
    /// Since when it is enabled; `None`: it is not.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Conditions on headers, an object.
    pub headers: Value,
    /// Conditions on the data, an object.
    pub body: Value,
    /// Conditions on query parameters, an object.
    pub query: Value,
    /// Conditions on the path, an object.
    pub path: Value,
}

impl FilterValues {
    /// A filter that lets every event through, enabled since `now`.
    #[must_use]
    pub fn open(event_type: &str, now: DateTime<Utc>) -> Self {
        let nothing = || Value::Object(serde_json::Map::new());
        Self {
            event_type: event_type.into(),
            enabled_at: Some(now),
            headers: nothing(),
            body: nothing(),
            query: nothing(),
            path: nothing(),
        }
    }
}

impl FilterRow {
    /// The filter with this id in this project, whatever its subscription, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: FilterId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(subscription_filters::project_id.eq(project))
            .filter(subscription_filters::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// Up to `limit` filters of a subscription, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
        limit: u32,
    ) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(subscription_filters::project_id.eq(project))
            .filter(subscription_filters::subscription_id.eq(subscription))
            .order(subscription_filters::id.desc())
            .limit(i64::from(limit))
            .load(conn)
            .await
    }

    /// The subscription's filters for these event types.
    ///
    /// # Errors
    /// The database fails.
    pub async fn of_types(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
        event_types: &[&str],
    ) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(subscription_filters::project_id.eq(project))
            .filter(subscription_filters::subscription_id.eq(subscription))
            .filter(subscription_filters::event_type.eq_any(event_types))
            .load(conn)
            .await
    }

    /// How many filters the subscription has.
    ///
    /// # Errors
    /// The database fails.
    pub async fn count(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
    ) -> QueryResult<i64> {
        subscription_filters::table
            .filter(subscription_filters::project_id.eq(project))
            .filter(subscription_filters::subscription_id.eq(subscription))
            .count()
            .get_result(conn)
            .await
    }

    /// Makes filters, all or none, and returns them in their order.
    ///
    /// # Errors
    /// The database fails; a unique violation when the subscription has a filter for one of the types.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
        filters: &[FilterValues],
    ) -> QueryResult<Vec<Self>> {
        // Made within one millisecond ids have no order of their own; the list shows them by it.
        let mut ids: Vec<FilterId> = filters.iter().map(|_| FilterId::generate()).collect();
        ids.sort_unstable();
        let rows: Vec<_> = filters
            .iter()
            .zip(ids)
            .map(|(values, id)| {
                (
                    subscription_filters::project_id.eq(project),
                    subscription_filters::subscription_id.eq(subscription),
                    subscription_filters::id.eq(id),
                    values,
                )
            })
            .collect();
        let mut made: Vec<Self> = diesel::insert_into(subscription_filters::table)
            .values(rows)
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_results(conn)
            .await?;
        made.sort_unstable_by_key(|row| row.id);
        Ok(made)
    }

    /// Changes filters, all or none, and returns them in their order. `None`: one of them is gone, and none is changed.
    ///
    /// # Errors
    /// The database fails; a unique violation when the subscription has another filter for one of the types.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
        changes: &[(FilterId, FilterValues)],
    ) -> QueryResult<Option<Vec<Self>>> {
        let changed = conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let mut changed = Vec::with_capacity(changes.len());
            for (id, values) in changes {
                let row = diesel::update(subscription_filters::table.find((project, subscription, *id)))
                    .set((values, subscription_filters::updated_at.eq(diesel::dsl::now)))
                    .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
                    .get_result(conn)
                    .await?;
                changed.push(row);
            }
            Ok(changed)
        });
        changed.await.optional()
    }

    /// Deletes the filter. `false`: there was none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        subscription: SubscriptionId,
        id: FilterId,
    ) -> QueryResult<bool> {
        let row = subscription_filters::table.find((project, subscription, id));
        Ok(diesel::delete(row).execute(conn).await? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enabled_filter_of_the_type_decides_and_else_that_for_all() {
        let is_enabled = |filter: &(char, bool)| filter.1;
        for (own, every, expected) in [
            (Some(('a', true)), Some(('*', true)), Deciding::Own(('a', true))),
            (Some(('a', true)), Some(('*', false)), Deciding::Own(('a', true))),
            (Some(('a', false)), Some(('*', true)), Deciding::Every(('*', true))),
            (Some(('a', false)), Some(('*', false)), Deciding::Nothing),
            (Some(('a', false)), None, Deciding::EventTypes),
            (None, Some(('*', true)), Deciding::Every(('*', true))),
            (None, Some(('*', false)), Deciding::Nothing),
            (None, None, Deciding::EventTypes),
        ] {
            assert_eq!(deciding(own, every, is_enabled), expected, "{own:?} {every:?}");
        }
    }
}
