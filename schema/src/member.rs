//! Who belongs to an organisation, and as what. An organisation always keeps an administrator.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult, SelectableHelper as _, dsl::count_star,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{OrganisationId, UserId},
    page::{Page, PageRequest},
    tables::{organisation_members, organisations, users},
    user::User,
    words::Role,
};

/// Who decides on an organisation: those for whom [`Role::is_admin`] holds.
const ADMINS: [Role; 2] = [Role::InstanceAdmin, Role::OrganisationAdmin];

/// A row of `organisation_members`.
#[derive(Debug, Clone, HasQuery)]
#[diesel(table_name = organisation_members)]
pub struct Member {
    /// Of which organisation.
    pub organisation_id: OrganisationId,
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When the role last changed.
    pub updated_at: DateTime<Utc>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// It is done.
    Done,
    /// There is no such member.
    NotFound,
    /// It would leave the organisation without an administrator.
    LastAdmin,
}

/// The member with their user, or `None`.
///
/// # Errors
/// The database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
) -> QueryResult<Option<(Member, User)>> {
    organisation_members::table
        .inner_join(users::table)
        .filter(organisation_members::organisation_id.eq(organisation))
        .filter(organisation_members::user_id.eq(user))
        .select((Member::as_select(), User::as_select()))
        .first(conn)
        .await
        .optional()
}

/// A page of the organisation's members with their users.
///
/// # Errors
/// The database fails.
pub async fn list(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    page: &PageRequest<UserId>,
) -> QueryResult<Page<(Member, User)>> {
    use organisation_members::user_id;
    let mut query = organisation_members::table
        .inner_join(users::table)
        .filter(organisation_members::organisation_id.eq(organisation))
        .select((Member::as_select(), User::as_select()))
        .into_boxed();
    query = match (page.reads_ascending(), page.cursor) {
        (true, Some(cursor)) => query.filter(user_id.ge(cursor)).order(user_id.asc()),
        (true, None) => query.order(user_id.asc()),
        (false, Some(cursor)) => query.filter(user_id.le(cursor)).order(user_id.desc()),
        (false, None) => query.order(user_id.desc()),
    };
    Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
}

/// Gives a member another role.
///
/// # Errors
/// The database fails; nothing is changed.
pub async fn set_role(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
    role: Role,
) -> QueryResult<MemberChange> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let change = may_lose(conn, organisation, user, role.is_admin()).await?;
        if change == MemberChange::Done {
            diesel::update(organisation_members::table.find((organisation, user)))
                .set((organisation_members::role.eq(role), organisation_members::updated_at.eq(diesel::dsl::now)))
                .execute(conn)
                .await?;
        }
        Ok(change)
    })
    .await
}

/// Ends a membership. Who owned the organisation is succeeded by its oldest administrator.
///
/// # Errors
/// The database fails; nothing is changed.
pub async fn remove(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
) -> QueryResult<MemberChange> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let change = may_lose(conn, organisation, user, false).await?;
        if change == MemberChange::Done {
            diesel::delete(organisation_members::table.find((organisation, user))).execute(conn).await?;
            let heir: Option<UserId> = organisation_members::table
                .filter(organisation_members::organisation_id.eq(organisation))
                .filter(organisation_members::role.eq_any(ADMINS))
                .order(organisation_members::user_id)
                .select(organisation_members::user_id)
                .first(conn)
                .await
                .optional()?;
            let owned = organisations::table.find(organisation).filter(organisations::owner_id.eq(user));
            diesel::update(owned).set(organisations::owner_id.eq(heir)).execute(conn).await?;
        }
        Ok(change)
    })
    .await
}

/// Whether the organisation can do without this member as an administrator. It stays locked until the transaction ends, so
/// that two administrators cannot remove each other at once.
async fn may_lose(
    conn: &mut AsyncPgConnection,
    organisation: OrganisationId,
    user: UserId,
    stays_admin: bool,
) -> QueryResult<MemberChange> {
    let locked: Option<OrganisationId> = organisations::table
        .find(organisation)
        .select(organisations::id)
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    let role: Option<Role> = organisation_members::table
        .find((organisation, user))
        .select(organisation_members::role)
        .first(conn)
        .await
        .optional()?;
    let (Some(_), Some(role)) = (locked, role) else { return Ok(MemberChange::NotFound) };
    if stays_admin || !role.is_admin() {
        return Ok(MemberChange::Done);
    }
    let count: i64 = organisation_members::table
        .filter(organisation_members::organisation_id.eq(organisation))
        .filter(organisation_members::role.eq_any(ADMINS))
        .select(count_star())
        .first(conn)
        .await?;
    Ok(if count > 1 { MemberChange::Done } else { MemberChange::LastAdmin })
}
