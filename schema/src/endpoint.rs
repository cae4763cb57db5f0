//! Endpoints: the URLs to which a project's events are delivered, with the secrets that sign for them.

mod values;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, HasQuery, Identifiable, OptionalExtension, PgTextExpressionMethods,
    QueryDsl, QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use rand::RngExt as _;
use serde_json::Value;

pub use self::values::EndpointValues;
use crate::{
    ids::{EndpointId, EndpointSecretId, ProjectId},
    page::{Page, PageRequest},
    sealed::{self, Place, Sealed, Unopened},
    tables::{endpoint_secrets, endpoints, subscriptions},
    words::EndpointStatus,
};

/// How long a secret is shown after it has stopped signing.
const SHOWN_AFTER_END: TimeDelta = TimeDelta::hours(1);

/// A live row of `endpoints`; deleted rows cannot be read through this type. What it keeps secret is opened when it is asked
/// for.
#[derive(Debug, Clone, HasQuery, Identifiable)]
#[diesel(table_name = endpoints, primary_key(project_id, id), base_query = endpoints::table.filter(endpoints::deleted_at.is_null()))]
pub struct Endpoint {
    /// The project.
    pub project_id: ProjectId,
    /// The endpoint.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Its owner in the caller's own terms; empty for none.
    pub owner_id: String,
    /// Whether it receives.
    pub status: EndpointStatus,
    /// Whether signatures carry a timestamp.
    pub advanced_signatures: bool,
    /// `application/json` or `application/x-www-form-urlencoded`.
    pub content_type: String,
    /// Longest wait for the whole answer; 0 means the default.
    pub http_timeout_seconds: i32,
    /// Requests per duration; 0 or less for no limit.
    pub rate_limit: i32,
    /// The duration.
    pub rate_limit_duration_seconds: i32,
    authentication: Option<Sealed<Value>>,
    mtls_client_cert: Option<Sealed<Value>>,
    /// What becomes of its lines of deliveries when the first fails, as `Ordering`.
    pub ordering: Option<Value>,
    /// Whether answers that lead elsewhere are followed.
    pub follow_redirects: bool,
    /// Who hears that it was disabled.
    pub support_email: String,
    slack_webhook_url: Sealed<String>,
    teams_webhook_url: Sealed<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Columns that hold secrets.
pub(crate) const AUTHENTICATION: &str = "endpoints.authentication";
pub(crate) const CLIENT_CERT: &str = "endpoints.mtls_client_cert";
const SLACK: &str = "endpoints.slack_webhook_url";
const TEAMS: &str = "endpoints.teams_webhook_url";

/// Where an endpoint's secret of this column is stored.
pub(crate) fn place(column: &'static str, (project, id): (ProjectId, EndpointId)) -> Place {
    Place::new(column, &[project.to_bits(), id.to_bits()])
}

/// Where one of an endpoint's signing secrets is stored.
pub(crate) fn secret_place((project, endpoint): (ProjectId, EndpointId), id: EndpointSecretId) -> Place {
    Place::new("endpoint_secrets.value", &[project.to_bits(), endpoint.to_bits(), id.to_bits()])
}

/// A secret of an endpoint. Its `Debug` does not show the value.
#[derive(Clone, HasQuery, Identifiable)]
#[diesel(table_name = endpoint_secrets, primary_key(project_id, endpoint_id, id), base_query = endpoint_secrets::table.filter(endpoint_secrets::deleted_at.is_null()))]
pub struct EndpointSecret {
    /// The project.
    pub project_id: ProjectId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The secret.
    pub id: EndpointSecretId,
    value: Sealed<String>,
    /// When it stops signing.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointSecret")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl EndpointSecret {
    /// What signs.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn value(&self) -> Result<String, Unopened> {
        self.value.open(&secret_place((self.project_id, self.endpoint_id), self.id))
    }
}

/// Which endpoints to list.
#[derive(Debug, Clone, Default)]
pub struct EndpointFilter {
    /// A part of the name, in any case.
    pub name_part: Option<String>,
    /// Only this owner's.
    pub owner_id: Option<String>,
    /// Only these; empty for all.
    pub ids: Vec<EndpointId>,
}

impl Endpoint {
    /// How requests authenticate, contract section 2.2.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn authentication(&self) -> Result<Option<Value>, Unopened> {
        sealed::open(self.authentication.as_ref(), &place(AUTHENTICATION, (self.project_id, self.id)))
    }

    /// What its requests prove themselves with in TLS: `{"client_cert", "client_key"}`, each as PEM.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn mtls_client_cert(&self) -> Result<Option<Value>, Unopened> {
        sealed::open(self.mtls_client_cert.as_ref(), &place(CLIENT_CERT, (self.project_id, self.id)))
    }

    /// Where notifications go: a URL that is its own password.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn slack_webhook_url(&self) -> Result<String, Unopened> {
        self.slack_webhook_url.open(&place(SLACK, (self.project_id, self.id)))
    }

    /// Where notifications go: a URL that is its own password.
    ///
    /// # Errors
    /// This process cannot open it.
    pub fn teams_webhook_url(&self) -> Result<String, Unopened> {
        self.teams_webhook_url.open(&place(TEAMS, (self.project_id, self.id)))
    }

    /// The endpoint with this id in this project, or `None`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId, id: EndpointId) -> QueryResult<Option<Self>> {
        Self::query()
            .filter(endpoints::project_id.eq(project))
            .filter(endpoints::id.eq(id))
            .first(conn)
            .await
            .optional()
    }

    /// A page of the project's endpoints.
    ///
    /// # Errors
    /// The database fails.
    pub async fn list(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        filter: &EndpointFilter,
        page: &PageRequest<EndpointId>,
    ) -> QueryResult<Page<Self>> {
        let mut query = Self::query().filter(endpoints::project_id.eq(project)).into_boxed();
        if let Some(part) = &filter.name_part {
            query = query.filter(endpoints::name.ilike(format!("%{}%", escape_like(part))));
        }
        if let Some(owner) = &filter.owner_id {
            query = query.filter(endpoints::owner_id.eq(owner.clone()).and(endpoints::owner_id.ne("")));
        }
        if !filter.ids.is_empty() {
            query = query.filter(endpoints::id.eq_any(filter.ids.clone()));
        }
        query = match (page.reads_ascending(), page.cursor) {
            (true, Some(cursor)) => query.filter(endpoints::id.ge(cursor)).order(endpoints::id.asc()),
            (true, None) => query.order(endpoints::id.asc()),
            (false, Some(cursor)) => query.filter(endpoints::id.le(cursor)).order(endpoints::id.desc()),
            (false, None) => query.order(endpoints::id.desc()),
        };
        Ok(page.page(query.limit(page.rows_to_read()).load(conn).await?))
    }

    /// The live endpoints among `ids`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_many(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        ids: &[EndpointId],
    ) -> QueryResult<Vec<Self>> {
        Self::query().filter(endpoints::project_id.eq(project)).filter(endpoints::id.eq_any(ids)).load(conn).await
    }

    /// Makes an endpoint with its first secret.
    ///
    /// # Errors
    /// The database fails; nothing is made.
    pub async fn insert(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        values: &EndpointValues,
        secret: &str,
    ) -> QueryResult<Self> {
        let id = EndpointId::generate();
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let row = diesel::insert_into(endpoints::table)
                .values((endpoints::project_id.eq(project), endpoints::id.eq(id), values.sealed((project, id))))
                .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
                .get_result(conn)
                .await?;
            insert_secret(conn, project, id, secret).await?;
            Ok(row)
        })
        .await
    }

    /// Writes what a caller can set. `None`: there is no such endpoint.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(
        conn: &mut AsyncPgConnection,
        project: ProjectId,
        id: EndpointId,
        values: &EndpointValues,
    ) -> QueryResult<Option<Self>> {
        let live = endpoints::table.find((project, id)).filter(endpoints::deleted_at.is_null());
        diesel::update(live)
            .set((values.sealed((project, id)), endpoints::updated_at.eq(diesel::dsl::now)))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Moves the endpoint from one of `from` to `to`. `None`: there is none, or it is in another state.
    ///
    /// # Errors
    /// The database fails.
    pub async fn set_status(
        conn: &mut AsyncPgConnection,
        (project, id): (ProjectId, EndpointId),
        from: &[EndpointStatus],
        to: EndpointStatus,
    ) -> QueryResult<Option<Self>> {
        let live = endpoints::table
            .find((project, id))
            .filter(endpoints::deleted_at.is_null())
            .filter(endpoints::status.eq_any(from));
        diesel::update(live)
            .set((endpoints::status.eq(to), endpoints::updated_at.eq(diesel::dsl::now)))
            .returning(<Self as diesel::SelectableHelper<diesel::pg::Pg>>::as_returning())
            .get_result(conn)
            .await
            .optional()
    }

    /// Deletes the endpoint and its subscriptions. `false`: there was none.
    ///
    /// # Errors
    /// The database fails; nothing is deleted.
    pub async fn delete(conn: &mut AsyncPgConnection, project: ProjectId, id: EndpointId) -> QueryResult<bool> {
        conn.transaction::<_, diesel::result::Error, _>(async |conn| {
            let live = endpoints::table.find((project, id)).filter(endpoints::deleted_at.is_null());
            let deleted = diesel::update(live).set(endpoints::deleted_at.eq(diesel::dsl::now)).execute(conn).await?;
            let of_endpoint = subscriptions::table
                .filter(subscriptions::project_id.eq(project))
                .filter(subscriptions::endpoint_id.eq(id))
                .filter(subscriptions::deleted_at.is_null());
            diesel::update(of_endpoint).set(subscriptions::deleted_at.eq(diesel::dsl::now)).execute(conn).await?;
            Ok(deleted == 1)
        })
        .await
    }
}

/// Endpoints of one owner that a query can name.
const OF_OWNER_MAX: i64 = 10_000;

/// The live endpoints of this owner.
///
/// # Errors
/// The database fails.
pub async fn ids_of_owner(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: &str,
) -> QueryResult<Vec<EndpointId>> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::owner_id.eq(owner).and(endpoints::owner_id.ne("")))
        .filter(endpoints::deleted_at.is_null())
        .select(endpoints::id)
        .limit(OF_OWNER_MAX)
        .load(conn)
        .await
}

/// The id of the project's oldest endpoint with exactly this URL.
///
/// # Errors
/// The database fails.
pub async fn id_of_url(conn: &mut AsyncPgConnection, project: ProjectId, url: &str) -> QueryResult<Option<EndpointId>> {
    endpoints::table
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::url.eq(url))
        .filter(endpoints::deleted_at.is_null())
        .order(endpoints::id)
        .select(endpoints::id)
        .first(conn)
        .await
        .optional()
}

/// The secrets of these endpoints, the oldest first, with those that ended within the last hour: whoever has just rolled a
/// secret sees both.
///
/// # Errors
/// The database fails.
pub async fn secrets_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[EndpointId],
) -> QueryResult<Vec<EndpointSecret>> {
    let shown_until = Utc::now() - SHOWN_AFTER_END;
    EndpointSecret::query()
        .filter(endpoint_secrets::project_id.eq(project))
        .filter(endpoint_secrets::endpoint_id.eq_any(ids))
        .filter(endpoint_secrets::expires_at.is_null().or(endpoint_secrets::expires_at.gt(shown_until)))
        .order((endpoint_secrets::endpoint_id, endpoint_secrets::id))
        .load(conn)
        .await
}

/// Adds a secret that signs from now on; those before it go on signing until `old_expire_at`.
///
/// # Errors
/// The database fails; nothing is changed.
pub async fn roll_secret(
    conn: &mut AsyncPgConnection,
    (project, endpoint): (ProjectId, EndpointId),
    value: &str,
    old_expire_at: DateTime<Utc>,
) -> QueryResult<()> {
    conn.transaction::<_, diesel::result::Error, _>(async |conn| {
        let old = endpoint_secrets::table
            .filter(endpoint_secrets::project_id.eq(project))
            .filter(endpoint_secrets::endpoint_id.eq(endpoint))
            .filter(endpoint_secrets::expires_at.is_null())
            .filter(endpoint_secrets::deleted_at.is_null());
        diesel::update(old)
            .set((endpoint_secrets::expires_at.eq(old_expire_at), endpoint_secrets::updated_at.eq(diesel::dsl::now)))
            .execute(conn)
            .await?;
        insert_secret(conn, project, endpoint, value).await
    })
    .await
}

async fn insert_secret(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    endpoint: EndpointId,
    value: &str,
) -> QueryResult<()> {
    let id = EndpointSecretId::generate();
    diesel::insert_into(endpoint_secrets::table)
        .values((
            endpoint_secrets::project_id.eq(project),
            endpoint_secrets::endpoint_id.eq(endpoint),
            endpoint_secrets::id.eq(id),
            endpoint_secrets::value.eq(Sealed::seal(&value.to_owned(), &secret_place((project, endpoint), id))),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

const SECRET_CHARS: usize = 25;
const SECRET_ALPHABET: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

/// A new random secret, in the form that clients know.
#[must_use]
pub fn random_secret() -> String {
    let mut random = rand::rng();
    let mut char =
        || SECRET_ALPHABET.get(random.random_range(0..SECRET_ALPHABET.len())).copied().map_or('0', char::from);
    (0..SECRET_CHARS).map(|_| char()).collect()
}

/// `%` and `_` of a search mean themselves.
pub(crate) fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
