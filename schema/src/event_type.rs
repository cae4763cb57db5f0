//! Event types: the catalogue of what can happen in a project. The database itself adds what subscriptions name, and `*`
//! to a new project; nothing is routed or refused by the catalogue.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension, QueryDsl, QueryResult, SelectableHelper,
    upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EventTypeId, ProjectId},
    tables::event_types,
};

/// A row of `event_types`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = event_types, primary_key(project_id, id))]
pub struct EventType {
    /// The project.
    pub project_id: ProjectId,
    /// The event type.
    pub id: EventTypeId,
    /// Its name, unique in the project.
    pub name: String,
    /// A group of its project's own making; empty for none.
    pub category: String,
    /// For people.
    pub description: String,
    /// The shape of its events' data, as JSON Schema; for people, not checked.
    pub json_schema: Option<serde_json::Value>,
    /// Since when it should no longer be used.
    pub deprecated_at: Option<DateTime<Utc>>,
}

/// An event type to insert.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = event_types)]
pub struct EventTypeValues {
    /// Its name.
    pub name: String,
    /// A group of its project's own making.
    pub category: String,
    /// For people.
    pub description: String,
    /// The shape of its events' data.
    pub json_schema: Option<serde_json::Value>,
}

/// What can be changed later; `None` keeps the value.
#[derive(Debug, Clone, Default, diesel::AsChangeset)]
#[diesel(table_name = event_types)]
pub struct EventTypeChange {
    /// A group of its project's own making.
    pub category: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The shape of its events' data.
    pub json_schema: Option<serde_json::Value>,
}

impl EventType {
    /// The project's event types, the newest first, up to `limit`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(conn: &mut AsyncPgConnection, project: ProjectId, limit: i64) -> QueryResult<Vec<Self>> {
        Self::query()
            .filter(event_types::project_id.eq(project))
            .order(event_types::id.desc())
            .limit(limit)
            .load(conn)
            .await
    }

    /// How many event types the project has.
    ///
    /// # Errors
    /// The database fails.
    pub async fn count(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<i64> {
        event_types::table.filter(event_types::project_id.eq(project)).count().get_result(conn).await
    }

    /// The event type with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: EventTypeId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(event_types::project_id.eq(project))
            .filter(event_types::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// Makes an event type.
    ///
    /// # Errors
    /// The database fails; a unique violation when the project has one of that name.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        values: &EventTypeValues,
    ) -> QueryResult<Self> {
        diesel::insert_into(event_types::table)
            .values((event_types::project_id.eq(project), event_types::id.eq(EventTypeId::generate()), values))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
    }

    /// Makes the event types, or gives those of the same names the new description and schema. No name may be there twice.
    ///
    /// # Errors
    /// The database fails; nothing is written.
    pub async fn upsert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        all: &[EventTypeValues],
    ) -> QueryResult<Vec<Self>> {
        let rows: Vec<_> = all
            .iter()
            .map(|values| (event_types::project_id.eq(project), event_types::id.eq(EventTypeId::generate()), values))
            .collect();
        diesel::insert_into(event_types::table)
            .values(rows)
            .on_conflict((event_types::project_id, event_types::name))
            .do_update()
            .set((
                event_types::description.eq(excluded(event_types::description)),
                event_types::json_schema.eq(excluded(event_types::json_schema)),
                event_types::updated_at.eq(diesel::dsl::now),
            ))
            .returning(Self::as_returning())
            .get_results(conn)
            .await
    }

    /// Writes what is changed. `None`: there is no such event type.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: EventTypeId,
        change: &EventTypeChange,
    ) -> QueryResult<Option<Self>> {
        diesel::update(event_types::table.find((project, id)))
            .set((change, event_types::updated_at.eq(diesel::dsl::now)))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Marks the event type as no longer to be used; the first time stays. `None`: there is no such event type.
    ///
    /// # Errors
    /// The database fails.
    pub async fn deprecate(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: EventTypeId,
    ) -> QueryResult<Option<Self>> {
        let unmarked = event_types::table.find((project, id)).filter(event_types::deprecated_at.is_null());
        let marked = diesel::update(unmarked)
            .set((event_types::deprecated_at.eq(diesel::dsl::now), event_types::updated_at.eq(diesel::dsl::now)))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        match marked {
            Some(row) => Ok(Some(row)),
            None => Self::find(conn, project, id).await,
        }
    }
}
