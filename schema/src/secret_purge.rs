//! What proved something and does so no more: secrets of endpoints that have stopped signing, keys of portal links, and
//! invitations that nobody answered.

use diesel::{QueryResult, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretPurge {
    /// Secrets of endpoints.
    pub endpoint_secrets: usize,
    /// Keys of portal links.
    pub portal_keys: usize,
    /// Invitations.
    pub invitations: usize,
}

/// Deletes all of them in statements of `rows_max` rows: a day after a secret or a key has ended, 30 days after an invitation
/// has.
///
/// # Errors
/// The database fails; what was deleted before stays deleted.
pub async fn purge_all_projects(conn: &mut AsyncPgConnection, rows_max: i64) -> QueryResult<SecretPurge> {
    let mut purge = SecretPurge::default();
    for (count, statement) in [
        (
            &mut purge.endpoint_secrets,
            "DELETE FROM endpoint_secrets WHERE ctid = ANY (ARRAY (SELECT ctid FROM endpoint_secrets \
             WHERE expires_at < now() - interval '1 day' LIMIT $1))",
        ),
        (
            &mut purge.portal_keys,
            "DELETE FROM portal_keys WHERE id IN (SELECT id FROM portal_keys WHERE expires_at < now() - interval '1 day' LIMIT $1)",
        ),
        (
            &mut purge.invitations,
            "DELETE FROM organisation_invites WHERE ctid = ANY (ARRAY (SELECT ctid FROM organisation_invites \
             WHERE status = 'pending' AND expires_at < now() - interval '30 days' LIMIT $1))",
        ),
    ] {
        loop {
            match diesel::sql_query(statement).bind::<BigInt, _>(rows_max).execute(conn).await? {
                0 => break,
                some => *count += some,
            }
        }
    }
    Ok(purge)
}
