//! Portal links: what lets a customer of a project see and manage its own endpoints, and nothing else. A link opens the
//! endpoints of its owner, or without an owner exactly those that it lists.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, BoolExpressionMethods, ExpressionMethods, HasQuery, Identifiable, Insertable, OptionalExtension,
    PgArrayExpressionMethods, PgTextExpressionMethods, QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sha2::{Digest as _, Sha256};

use crate::{
    api_key::random_text,
    endpoint::escape_like,
    endpoint_owner,
    ids::{EndpointId, PortalLinkId, ProjectId},
    page::{Page, PageRequest},
    sealed::{Place, Sealed, Unopened},
    tables::{endpoints, portal_keys, portal_links},
    words::PortalAuthType,
};

/// Characters of a link's own token.
pub const TOKEN_CHARS: usize = 24;

/// A live row of `portal_links`; revoked ones cannot be read through this type. Its `Debug` does not show the token.
#[derive(Clone, HasQuery, Identifiable)]
#[diesel(table_name = portal_links, primary_key(project_id, id), base_query = portal_links::table.filter(portal_links::revoked_at.is_null()))]
pub struct PortalLink {
    /// The project.
    pub project_id: ProjectId,
    /// The link.
    pub id: PortalLinkId,
    /// Its name.
    pub name: String,
    /// Whose endpoints it opens; empty for those listed.
    pub owner_id: String,
    /// The endpoints that it lists.
    pub endpoint_ids: Vec<Option<EndpointId>>,
    /// Whether its holder may change endpoints.
    pub can_manage_endpoint: bool,
    /// How its holder proves itself.
    pub auth_type: PortalAuthType,
    token: Sealed<String>,
    token_hash: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for PortalLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalLink").field("id", &self.id).field("owner_id", &self.owner_id).finish_non_exhaustive()
    }
}

/// What a caller can set.
#[derive(Debug, Clone, Insertable, AsChangeset)]
#[diesel(table_name = portal_links)]
pub struct PortalLinkValues {
    /// Its name.
    pub name: String,
    /// Whose endpoints it opens; empty for those listed.
    pub owner_id: String,
    /// The endpoints that it lists; not empty where there is no owner.
    pub endpoint_ids: Vec<Option<EndpointId>>,
    /// Whether its holder may change endpoints.
    pub can_manage_endpoint: bool,
    /// How its holder proves itself.
    pub auth_type: PortalAuthType,
}

/// Which links to list.
#[derive(Debug, Clone, Default)]
pub struct PortalLinkFilter {
    /// A part of the name, in any case.
    pub name_part: Option<String>,
    /// Only those of this owner.
    pub owner_id: Option<String>,
    /// Only those that open one of these endpoints.
    pub endpoint_ids: Vec<EndpointId>,
}

impl PortalLink {
    /// Its own token.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn token(&self) -> Result<String, Unopened> {
        self.token.open(&place(self.project_id, self.id))
    }

    /// Whether `text` is its token, for which that need not be opened.
    #[must_use]
    pub fn has_token(&self, text: &str) -> bool {
        self.token_hash == token_hash(text)
    }

    /// Tells its token from those that it had before: the first bytes of its hash, as text. It opens nothing.
    #[must_use]
    pub fn mark(&self) -> String {
        self.token_hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The link with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: PortalLinkId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(portal_links::project_id.eq(project))
            .filter(portal_links::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// The link with this token, whichever its project. It is looked up by its hash, so that how long the look-up takes
    /// tells nothing about tokens that exist.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_by_token_in_all_projects(conn: &mut AsyncPgConnection, token: &str) -> QueryResult<Option<Self>> {
        Self::query().filter(portal_links::token_hash.eq(token_hash(token))).first(conn).await.optional()
    }

    /// A page of the project's links.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        filter: &PortalLinkFilter,
        page: &PageRequest<PortalLinkId>,
    ) -> QueryResult<Page<Self>> {
        let filtered = || {
            let mut query = Self::query().filter(portal_links::project_id.eq(project)).into_boxed();
            if let Some(part) = &filter.name_part {
                query = query.filter(portal_links::name.ilike(format!("%{}%", escape_like(part))));
            }
            if let Some(owner) = &filter.owner_id {
                query = query.filter(portal_links::owner_id.eq(owner.clone()));
            }
            query = match (page.reads_ascending(), page.cursor) {
                (true, Some(cursor)) => query.filter(portal_links::id.ge(cursor)).order(portal_links::id.asc()),
                (true, None) => query.order(portal_links::id.asc()),
                (false, Some(cursor)) => query.filter(portal_links::id.le(cursor)).order(portal_links::id.desc()),
                (false, None) => query.order(portal_links::id.desc()),
            };
            query.limit(page.rows_to_read())
        };
        if filter.endpoint_ids.is_empty() {
            return Ok(page.page(filtered().load(conn).await?));
        }
        // Each owner's and those that list an endpoint on their own: of all together no index has the order.
        let listed: Vec<Option<EndpointId>> = filter.endpoint_ids.iter().copied().map(Some).collect();
        let lists = portal_links::owner_id.eq("").and(portal_links::endpoint_ids.overlaps_with(listed));
        let mut rows: Vec<Self> = filtered().filter(lists).load(conn).await?;
        for owner in owners_of(conn, project, &filter.endpoint_ids).await? {
            rows.extend(filtered().filter(portal_links::owner_id.eq(owner)).load::<Self>(conn).await?);
        }
        rows.sort_by_key(|row| row.id);
        if !page.reads_ascending() {
            rows.reverse();
        }
        rows.truncate(usize::try_from(page.rows_to_read()).unwrap_or(usize::MAX));
        Ok(page.page(rows))
    }

    /// Makes a link with a token of its own. What it lists becomes its owner's, if it has one.
    ///
    /// # Errors
    /// The database fails; a check violation for values that open nothing. Nothing is changed.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        values: &PortalLinkValues,
    ) -> QueryResult<Self> {
        let (id, token) = (PortalLinkId::generate(), random_text(TOKEN_CHARS));
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            assign(conn, project, values).await?;
            diesel::insert_into(portal_links::table)
                .values((
                    portal_links::project_id.eq(project),
                    portal_links::id.eq(id),
                    portal_links::token_hash.eq(token_hash(&token)),
                    portal_links::token.eq(Sealed::seal(&token, &place(project, id))),
                    values,
                ))
                .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
                .get_result(conn)
                .await
        })
        .await
    }

    /// Writes what a caller can set. What the link lists becomes its owner's, if it has one. Another way to prove oneself
    /// ends the token and the keys of the old one: the token of a link with keys stands in every URL of that link.
    /// `None`: there is no such link.
    ///
    /// # Errors
    /// The database fails; a check violation for values that open nothing. Nothing is changed.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: PortalLinkId,
        values: &PortalLinkValues,
    ) -> QueryResult<Option<Self>> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let live = || portal_links::table.find((project, id)).filter(portal_links::revoked_at.is_null());
            let old: Option<PortalAuthType> =
                live().select(portal_links::auth_type).for_update().first(conn).await.optional()?;
            let Some(auth_type) = old else { return Ok(None) };
            assign(conn, project, values).await?;
            if auth_type != values.auth_type {
                end_keys(conn, project, id).await?;
                let token = random_text(TOKEN_CHARS);
                let sealed = Sealed::seal(&token, &place(project, id));
                let replaced = (portal_links::token_hash.eq(token_hash(&token)), portal_links::token.eq(sealed));
                diesel::update(live()).set(replaced).execute(conn).await?;
            }
            diesel::update(live())
                .set((values, portal_links::updated_at.eq(diesel::dsl::now)))
                .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
                .get_result(conn)
                .await
                .optional()
        })
        .await
    }

    /// Ends the link and its keys for ever. `false`: there was none.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke(conn: &mut AsyncPgConnection, project: ProjectId, id: PortalLinkId) -> QueryResult<bool> {
        let live = portal_links::table.find((project, id)).filter(portal_links::revoked_at.is_null());
        let revoked = diesel::update(live).set(portal_links::revoked_at.eq(diesel::dsl::now)).execute(conn).await?;
        // A key opens nothing without its live link, so the order is of no matter.
        end_keys(conn, project, id).await?;
        Ok(revoked == 1)
    }
}

async fn assign(conn: &mut AsyncPgConnection, project: ProjectId, values: &PortalLinkValues) -> QueryResult<()> {
    let listed: Vec<EndpointId> = values.endpoint_ids.iter().copied().flatten().collect();
    if !listed.is_empty() && !values.owner_id.is_empty() {
        endpoint_owner::assign(conn, project, &listed, &values.owner_id).await?;
    }
    Ok(())
}

/// Whose these endpoints are.
async fn owners_of(conn: &mut AsyncPgConnection, project: ProjectId, ids: &[EndpointId]) -> QueryResult<Vec<String>> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::id.eq_any(ids))
        .filter(endpoints::deleted_at.is_null())
        .filter(endpoints::owner_id.ne(""))
        .select(endpoints::owner_id)
        .distinct()
        .load(conn)
        .await
}

async fn end_keys(conn: &mut AsyncPgConnection, project: ProjectId, id: PortalLinkId) -> QueryResult<()> {
    let keys =
        portal_keys::table.filter(portal_keys::project_id.eq(project)).filter(portal_keys::portal_link_id.eq(id));
    diesel::delete(keys).execute(conn).await?;
    Ok(())
}

fn place(project: ProjectId, id: PortalLinkId) -> Place {
    Place::new("portal_links.token", &[project.to_bits(), id.to_bits()])
}

/// What a link is looked up by.
#[must_use]
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
