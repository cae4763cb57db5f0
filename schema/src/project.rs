//! Projects: isolated spaces of endpoints, sources and events.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    api_key::{ApiKey, Owner, PlainKey},
    ids::{OrganisationId, ProjectId},
    project_config::{ProjectConfig, StoredConfig},
    tables::projects,
    words::{ProjectKind, Role},
};

/// A live row of `projects`.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project.
    pub id: ProjectId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Which way its events go.
    pub kind: ProjectKind,
    /// A picture of it.
    pub logo_url: String,
    /// Its settings.
    pub config: ProjectConfig,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The same as it is stored.
#[derive(HasQuery)]
#[diesel(table_name = projects, base_query = projects::table.filter(projects::deleted_at.is_null()))]
struct ProjectRow {
    id: ProjectId,
    organisation_id: OrganisationId,
    name: String,
    kind: ProjectKind,
    logo_url: String,
    config: StoredConfig,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: row.id,
            organisation_id: row.organisation_id,
            name: row.name,
            kind: row.kind,
            logo_url: row.logo_url,
            config: row.config.open(row.id),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A project to insert.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub name: String,
    /// Which way its events go.
    pub kind: ProjectKind,
    /// A picture of it.
    pub logo_url: String,
    /// Its settings.
    pub config: ProjectConfig,
}

impl Project {
    /// The project with this id, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, id: ProjectId) -> QueryResult<Option<Self>> {
        let row = ProjectRow::query().filter(projects::id.eq(id)).first(conn).await.optional()?;
        Ok(row.map(ProjectRow::into))
    }

    /// Up to `limit` projects of all organisations after this one, in the order of their ids.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list_ids_all_projects(
        conn: &mut AsyncPgConnection,
        after: ProjectId,
        limit: i64,
    ) -> QueryResult<Vec<ProjectId>> {
        projects::table
            .filter(projects::deleted_at.is_null())
            .filter(projects::id.gt(after))
            .order(projects::id.asc())
            .limit(limit)
            .select(projects::id)
            .load(conn)
            .await
    }

    /// The organisation's project of this name, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_by_name(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        name: &str,
    ) -> QueryResult<Option<Self>> {
        let named = ProjectRow::query()
            .filter(projects::organisation_id.eq(organisation))
            .filter(projects::name.eq(name))
            .first(conn);
        Ok(named.await.optional()?.map(ProjectRow::into))
    }

    /// All projects of the organisation, the newest first, up to `limit`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        limit: i64,
    ) -> QueryResult<Vec<Self>> {
        let newest = ProjectRow::query()
            .filter(projects::organisation_id.eq(organisation))
            .order(projects::id.desc())
            .limit(limit)
            .load(conn);
        Ok(newest.await?.into_iter().map(ProjectRow::into).collect())
    }

    /// Makes a project.
    ///
    /// # Errors
    /// The database fails; a unique violation when the organisation has one of that name.
    pub async fn insert(conn: &mut AsyncPgConnection, new: &NewProject) -> QueryResult<Self> {
        let id = ProjectId::generate();
        let row: ProjectRow = diesel::insert_into(projects::table)
            .values((
                projects::id.eq(id),
                projects::organisation_id.eq(new.organisation_id),
                projects::name.eq(&new.name),
                projects::kind.eq(new.kind),
                projects::logo_url.eq(&new.logo_url),
                projects::config.eq(StoredConfig::seal(&new.config, id)),
            ))
            .returning(<ProjectRow as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await?;
        Ok(row.into())
    }

    /// Makes a project with its first key, in one step.
    ///
    /// # Errors
    /// The database fails, or the name is taken; nothing is made.
    pub async fn insert_with_key(
        conn: &mut AsyncPgConnection,
        new: &NewProject,
    ) -> QueryResult<(Self, ApiKey, PlainKey)> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let project = Self::insert(conn, new).await?;
            let name = format!("{}'s default key", project.name);
            let owner = Owner::Project(project.id);
            let (key, plain) = ApiKey::insert(conn, owner, &name, Role::ProjectAdmin, None).await?;
            Ok((project, key, plain))
        })
        .await
    }

    /// Writes name, logo and settings. `None`: there is no such project.
    ///
    /// # Errors
    /// The database fails; a unique violation when the name is taken.
    pub async fn update(conn: &mut AsyncPgConnection, changed: &Self) -> QueryResult<Option<Self>> {
        let live = projects::table.filter(projects::id.eq(changed.id)).filter(projects::deleted_at.is_null());
        let row: Option<ProjectRow> = diesel::update(live)
            .set((
                projects::name.eq(&changed.name),
                projects::logo_url.eq(&changed.logo_url),
                projects::config.eq(StoredConfig::seal(&changed.config, changed.id)),
                projects::updated_at.eq(diesel::dsl::now),
            ))
            .returning(<ProjectRow as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        Ok(row.map(ProjectRow::into))
    }

    /// Deletes the project: it can no longer be read, and nothing of it is delivered. `false`: there was none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(conn: &mut AsyncPgConnection, id: ProjectId) -> QueryResult<bool> {
        let deleted =
            diesel::update(projects::table.filter(projects::id.eq(id)).filter(projects::deleted_at.is_null()))
                .set(projects::deleted_at.eq(diesel::dsl::now))
                .execute(conn)
                .await?;
        Ok(deleted == 1)
    }
}
