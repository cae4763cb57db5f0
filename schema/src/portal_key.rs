//! Keys of portal links: `PRT.<mask>.<secret>`, each valid for an hour. Only a hash is kept, as of other keys.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{ExpressionMethods, HasQuery, Identifiable, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use subtle::ConstantTimeEq as _;

use crate::{
    api_key::PlainKey,
    ids::{PortalKeyId, PortalLinkId, ProjectId},
    tables::portal_keys,
};

const PREFIX: &str = "PRT";

/// How long a key is valid.
pub const LIFE: TimeDelta = TimeDelta::hours(1);

/// A row of `portal_keys`, expired ones too. Its `Debug` shows no hash.
#[derive(Clone, HasQuery, Identifiable)]
#[diesel(table_name = portal_keys)]
pub struct PortalKey {
    /// The key.
    pub id: PortalKeyId,
    /// The link's project.
    pub project_id: ProjectId,
    /// The link that it opens.
    pub portal_link_id: PortalLinkId,
    /// SHA-256 of the whole key.
    pub hash: Vec<u8>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for PortalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalKey").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Reads a key as presented. `None`: it has not the form of one.
#[must_use]
pub fn parse(text: &str) -> Option<PlainKey> {
    PlainKey::parse_with_prefix(PREFIX, text)
}

impl PortalKey {
    /// Makes a key of this link that is valid until `expires_at`, and drops those of the link that have ended. The key is
    /// returned in the clear, once.
    ///
    /// # Errors
    /// The database fails; a foreign key violation when there is no such link.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        link: PortalLinkId,
        expires_at: DateTime<Utc>,
    ) -> QueryResult<PlainKey> {
        let ended = portal_keys::table
            .filter(portal_keys::project_id.eq(project))
            .filter(portal_keys::portal_link_id.eq(link))
            .filter(portal_keys::expires_at.lt(diesel::dsl::now));
        diesel::delete(ended).execute(conn).await?;
        let plain = PlainKey::with_prefix(PREFIX);
        diesel::insert_into(portal_keys::table)
            .values((
                portal_keys::id.eq(PortalKeyId::generate()),
                portal_keys::project_id.eq(project),
                portal_keys::portal_link_id.eq(link),
                portal_keys::mask.eq(plain.mask()),
                portal_keys::hash.eq(plain.hash()),
                portal_keys::expires_at.eq(expires_at),
            ))
            .execute(conn)
            .await?;
        Ok(plain)
    }

    /// The row of a presented key, whichever project it opens. `None`: there is none with its mask, or its hash differs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_in_all_projects(conn: &mut AsyncPgConnection, key: &PlainKey) -> QueryResult<Option<Self>> {
        let row: Option<Self> = Self::query().filter(portal_keys::mask.eq(key.mask())).first(conn).await.optional()?;
        Ok(row.filter(|row| bool::from(row.hash.ct_eq(&key.hash()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_key_is_no_other_key() {
        let key = PlainKey::with_prefix(PREFIX);
        assert_eq!(parse(key.expose()), Some(key.clone()));
        assert_eq!(PlainKey::parse(key.expose()), None);
        assert_eq!(parse(PlainKey::generate().expose()), None);
        assert_eq!(key.mask().len(), 16);
        assert_eq!(parse("PRT"), None);
    }
}
