//! Organisations, and who belongs to them.

use diesel::{ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{OrganisationId, UserId},
    tables::{organisation_members, organisations},
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

/// The user's role in the organisation, or `None` for a stranger.
///
/// # Errors
/// The database fails.
pub async fn role_of(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
) -> QueryResult<Option<Role>> {
    organisation_members::table
        .find((organisation, user))
        .select(organisation_members::role)
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
