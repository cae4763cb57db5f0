//! Invitations to an organisation. The token in the mail finds the row; only its hash is stored.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, HasQuery, OptionalExtension, QueryDsl, QueryResult, SelectableHelper as _};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{InviteId, OrganisationId, UserId},
    page::{Page, PageRequest},
    plain_token::PlainToken,
    tables::{organisation_invites, organisation_members, organisations},
    user::{NewUser, User},
    words::{InviteStatus, Role},
};

/// A row of `organisation_invites`.
#[derive(Debug, Clone, HasQuery)]
#[diesel(table_name = organisation_invites)]
pub struct Invite {
    /// To which organisation.
    pub organisation_id: OrganisationId,
    /// The invitation.
    pub id: InviteId,
    /// Address of who is invited.
    pub invitee_email: String,
    /// As what.
    pub role: Role,
    /// How far it has come.
    pub status: InviteStatus,
    /// When it can no longer be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Who accepts.
#[derive(Debug)]
pub enum Invitee {
    /// Someone who has an account.
    Known(UserId),
    /// Someone whose account is made with it.
    New(NewUser),
}

impl Invite {
    /// Makes an invitation, and returns its token beside it.
    ///
    /// # Errors
    /// The database fails; a unique violation when one for this address is pending.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        email: &str,
        role: Role,
        ttl: Duration,
    ) -> QueryResult<(Self, PlainToken)> {
        let token = PlainToken::generate();
        let row = diesel::insert_into(organisation_invites::table)
            .values((
                organisation_invites::organisation_id.eq(organisation),
                organisation_invites::id.eq(InviteId::generate()),
                organisation_invites::invitee_email.eq(email),
                organisation_invites::role.eq(role),
                organisation_invites::token_hash.eq(token.hash()),
                organisation_invites::expires_at.eq(Utc::now() + ttl),
            ))
            .returning(Self::as_returning())
            .get_result(conn)
            .await?;
        Ok((row, token))
    }

    /// A page of the organisation's pending invitations.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list_pending(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        page: &PageRequest<InviteId>,
    ) -> QueryResult<Page<Self>> {
        use organisation_invites::id;
        let mut query = Self::query()
            .filter(organisation_invites::organisation_id.eq(organisation))
            // A literal, because the planner believes a partial index only where it sees the state.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status = 'pending'"))
            .into_boxed();
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(id.ge(cursor)).order(id.asc()),
            (true, None) => query.order(id.asc()),
            (false, Some(cursor)) => query.filter(id.le(cursor)).order(id.desc()),
            (false, None) => query.order(id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// Gives a pending invitation a new token and a new life. `None`: there is none, or it was answered.
    ///
    /// # Errors
    /// The database fails.
    pub async fn renew(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        id: InviteId,
        ttl: Duration,
    ) -> QueryResult<Option<(Self, PlainToken)>> {
        let token = PlainToken::generate();
        let pending = organisation_invites::table
            .find((organisation, id))
            .filter(organisation_invites::status.eq(InviteStatus::Pending));
        let row = diesel::update(pending)
            .set((
                organisation_invites::token_hash.eq(token.hash()),
                organisation_invites::expires_at.eq(Utc::now() + ttl),
                organisation_invites::updated_at.eq(diesel::dsl::now),
            ))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        Ok(row.map(|row| (row, token)))
    }

    /// Takes a pending invitation back. `None`: there is none, or it was answered.
    ///
    /// # Errors
    /// The database fails.
    pub async fn cancel(
        conn: &mut AsyncPgConnection,
        organisation: OrganisationId,
        id: InviteId,
    ) -> QueryResult<Option<Self>> {
        let pending = organisation_invites::table
            .find((organisation, id))
            .filter(organisation_invites::status.eq(InviteStatus::Pending));
        diesel::update(pending)
            .set((
                organisation_invites::status.eq(InviteStatus::Cancelled),
                organisation_invites::updated_at.eq(diesel::dsl::now),
            ))
            .returning(Self::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// The pending invitation that a token is for, with its organisation's name. `None`: there is none, or it is too old.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_by_token(
        conn: &mut AsyncPgConnection,
        token: &PlainToken,
    ) -> QueryResult<Option<(Self, String)>> {
        organisation_invites::table
            .inner_join(organisations::table)
            .filter(organisation_invites::token_hash.eq(token.hash()))
            .filter(organisation_invites::status.eq(InviteStatus::Pending))
            .filter(organisation_invites::expires_at.gt(diesel::dsl::now))
            .filter(organisations::deleted_at.is_null())
            .select((Self::as_select(), organisations::name))
            .first(conn)
            .await
            .optional()
    }

    /// Answers an invitation with no. `false`: it was answered meanwhile.
    ///
    /// # Errors
    /// The database fails.
    pub async fn decline(conn: &mut AsyncPgConnection, token: &PlainToken) -> QueryResult<bool> {
        Ok(answer(conn, token, InviteStatus::Declined).await?.is_some())
    }

    /// Answers an invitation with yes: the invitee becomes a member, and gets an account where they have none. Who is a
    /// member already keeps their role. `None`: it was answered meanwhile.
    ///
    /// # Errors
    /// The database fails, or the address is taken; nothing is changed.
    pub async fn accept(
        conn: &mut AsyncPgConnection,
        token: &PlainToken,
        invitee: &Invitee,
    ) -> QueryResult<Option<UserId>> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let Some(invite) = answer(conn, token, InviteStatus::Accepted).await? else { return Ok(None) };
            let user = match invitee {
                Invitee::Known(id) => *id,
                Invitee::New(new) => User::insert(conn, new).await?.id,
            };
            diesel::insert_into(organisation_members::table)
                .values((
                    organisation_members::organisation_id.eq(invite.organisation_id),
                    organisation_members::user_id.eq(user),
                    organisation_members::role.eq(invite.role),
                ))
                .on_conflict_do_nothing()
                .execute(conn)
                .await?;
            Ok(Some(user))
        })
        .await
    }
}

async fn answer(conn: &mut AsyncPgConnection, token: &PlainToken, status: InviteStatus) -> QueryResult<Option<Invite>> {
    let pending = organisation_invites::table
        .filter(organisation_invites::token_hash.eq(token.hash()))
        .filter(organisation_invites::status.eq(InviteStatus::Pending))
        .filter(organisation_invites::expires_at.gt(diesel::dsl::now));
    diesel::update(pending)
        .set((organisation_invites::status.eq(status), organisation_invites::updated_at.eq(diesel::dsl::now)))
        .returning(Invite::as_returning())
        .get_result(conn)
        .await
        .optional()
}
