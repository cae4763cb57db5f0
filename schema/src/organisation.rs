//! Organisations, and who belongs to them.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult,
    SelectableHelper as _,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{OrganisationId, UserId},
    page::{Page, PageRequest},
    tables::{organisation_members, organisations, projects},
    words::Role,
};

/// A live row of `organisations`.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = organisations, base_query = organisations::table.filter(organisations::deleted_at.is_null()))]
pub struct Organisation {
    /// The organisation.
    pub id: OrganisationId,
    /// Its name.
    pub name: String,
    /// Who made it, or who came after them.
    pub owner_id: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Organisation {
    /// The organisation with this id, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, id: OrganisationId) -> QueryResult<Option<Self>> {
        Self::query().filter(organisations::id.eq(id)).first(conn).await.optional()
    }

    /// The oldest organisation of this name, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_by_name(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<Option<Self>> {
        Self::query().filter(organisations::name.eq(name)).order(organisations::id).first(conn).await.optional()
    }

    /// A page of the organisations that the user belongs to.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list_of(
        conn: &mut AsyncPgConnection,
        user: UserId,
        page: &PageRequest<OrganisationId>,
    ) -> QueryResult<Page<Self>> {
        let mut query = organisations::table
            .inner_join(organisation_members::table)
            .filter(organisation_members::user_id.eq(user))
            .filter(organisations::deleted_at.is_null())
            .select(Self::as_select())
            .into_boxed();
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(organisations::id.ge(cursor)).order(organisations::id.asc()),
            (true, None) => query.order(organisations::id.asc()),
            (false, Some(cursor)) => query.filter(organisations::id.le(cursor)).order(organisations::id.desc()),
            (false, None) => query.order(organisations::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// Gives it another name. `None`: there is no such organisation.
    ///
    /// # Errors
    /// The database fails.
    pub async fn rename(conn: &mut AsyncPgConnection, id: OrganisationId, name: &str) -> QueryResult<Option<Self>> {
        diesel::update(organisations::table.find(id).filter(organisations::deleted_at.is_null()))
            .set((organisations::name.eq(name), organisations::updated_at.eq(diesel::dsl::now)))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Deletes the organisation with its projects. `false`: there was none.
    ///
    /// # Errors
    /// The database fails; nothing is deleted.
    pub async fn delete(conn: &mut AsyncPgConnection, id: OrganisationId) -> QueryResult<bool> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let deleted = diesel::update(organisations::table.find(id).filter(organisations::deleted_at.is_null()))
                .set(organisations::deleted_at.eq(diesel::dsl::now))
                .execute(conn)
                .await?;
            let of_it = projects::table.filter(projects::organisation_id.eq(id)).filter(projects::deleted_at.is_null());
            diesel::update(of_it).set(projects::deleted_at.eq(diesel::dsl::now)).execute(conn).await?;
            Ok(deleted == 1)
        })
        .await
    }
}

/// Makes an organisation that belongs to a user, who is its administrator.
///
/// # Errors
/// The database fails; nothing is made.
pub async fn insert_owned(conn: &mut AsyncPgConnection, name: &str, owner: UserId) -> QueryResult<Organisation> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let row: Organisation = diesel::insert_into(organisations::table)
            .values((
                organisations::id.eq(OrganisationId::generate()),
                organisations::name.eq(name),
                organisations::owner_id.eq(owner),
            ))
            .returning(Organisation::as_returning())
            .get_result(conn)
            .await?;
        set_member(conn, row.id, owner, Role::OrganisationAdmin).await?;
        Ok(row)
    })
    .await
}

/// Makes an organisation.
///
/// # Errors
/// The database fails.
pub async fn insert(conn: &mut AsyncPgConnection, name: &str) -> QueryResult<OrganisationId> {
    let id = OrganisationId::generate();
    diesel::insert_into(organisations::table)
        .values((organisations::id.eq(id), organisations::name.eq(name)))
        .execute(conn)
        .await?;
    Ok(id)
}

/// Gives a user a role in an organisation, or changes it.
///
/// # Errors
/// The database fails.
pub async fn set_member(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
    role: Role,
) -> QueryResult<()> {
    use organisation_members::{organisation_id, table, updated_at, user_id};
    diesel::insert_into(table)
        .values((organisation_id.eq(organisation), user_id.eq(user), organisation_members::role.eq(role)))
        .on_conflict((organisation_id, user_id))
        .do_update()
        .set((organisation_members::role.eq(role), updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// The user's role in the organisation, or `None` for a stranger. Who runs the instance does so everywhere.
///
/// # Errors
/// The database fails.
pub async fn role_of(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
) -> QueryResult<Option<Role>> {
    use organisation_members::{organisation_id, role, table, user_id};
    table
        .filter(user_id.eq(user))
        .filter(organisation_id.eq(organisation).or(role.eq(Role::InstanceAdmin)))
        .order(role.eq(Role::InstanceAdmin).desc())
        .select(role)
        .first(conn)
        .await
        .optional()
}

/// The user's roles in all organisations.
///
/// # Errors
/// The database fails.
pub async fn roles_of(conn: &mut AsyncPgConnection, user: UserId) -> QueryResult<Vec<Role>> {
    organisation_members::table
        .filter(organisation_members::user_id.eq(user))
        .select(organisation_members::role)
        .load(conn)
        .await
}
