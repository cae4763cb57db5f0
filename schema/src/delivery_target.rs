//! What sending to an endpoint takes: its URL, how it wants to be called, and the secrets that sign. Read for a whole
//! batch in one statement.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::{
    endpoint::{AUTHENTICATION, CLIENT_CERT, place, secret_place},
    ids::{EndpointId, EndpointSecretId, ProjectId},
    sealed::{self, Sealed, SealedJsonb, SealedText, Unopened},
    statement::Statement,
    words::EndpointStatus,
};

/// A live endpoint as the sender sees it. Its `Debug` shows neither secrets nor credentials.
#[derive(Clone)]
pub struct DeliveryTarget {
    /// The project.
    pub project_id: ProjectId,
    /// The endpoint.
    pub id: EndpointId,
    /// Its name, for mails.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// Whether it receives.
    pub status: EndpointStatus,
    /// Whether signatures carry a timestamp.
    pub advanced_signatures: bool,
    /// `application/json` or `application/x-www-form-urlencoded`.
    pub content_type: String,
    /// Longest wait for the whole answer; 0 means the default.
    pub http_timeout_seconds: i32,
    /// Requests that it takes in [`Self::rate_limit_duration_seconds`]; 0 for any number.
    pub rate_limit: i32,
    /// The stretch of time of its rate limit; 0 for none.
    pub rate_limit_duration_seconds: i32,
    /// How requests authenticate, contract section 2.2; `None` for not at all.
    pub authentication: Option<Value>,
    /// What requests prove themselves with in TLS: `{"client_cert", "client_key"}`, each as PEM.
    pub mtls_client_cert: Option<Value>,
    /// What becomes of its lines of deliveries when the first fails, as `Ordering`.
    pub ordering: Option<Value>,
    /// Whether answers that lead elsewhere are followed.
    pub follow_redirects: bool,
    /// Who hears that it was disabled; empty for nobody.
    pub support_email: String,
    /// The secrets that were live when this was read, the oldest first.
    pub secrets: Vec<String>,
    /// When each of them expires; `None` for never.
    pub secret_expiries: Vec<Option<DateTime<Utc>>>,
    /// Why this process cannot open something of it that is secret: nothing can be sent to it, and secrets and credentials
    /// are not there.
    pub locked: Option<Unopened>,
}

/// The same as it is stored.
#[derive(QueryableByName)]
struct TargetRow {
    #[diesel(sql_type = Uuid)]
    project_id: ProjectId,
    #[diesel(sql_type = Uuid)]
    id: EndpointId,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Text)]
    status: EndpointStatus,
    #[diesel(sql_type = Bool)]
    advanced_signatures: bool,
    #[diesel(sql_type = Text)]
    content_type: String,
    #[diesel(sql_type = Integer)]
    http_timeout_seconds: i32,
    #[diesel(sql_type = Integer)]
    rate_limit: i32,
    #[diesel(sql_type = Integer)]
    rate_limit_duration_seconds: i32,
    #[diesel(sql_type = Nullable<SealedJsonb>)]
    authentication: Option<Sealed<Value>>,
    #[diesel(sql_type = Nullable<SealedJsonb>)]
    mtls_client_cert: Option<Sealed<Value>>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    ordering: Option<Value>,
    #[diesel(sql_type = Bool)]
    follow_redirects: bool,
    #[diesel(sql_type = Text)]
    support_email: String,
    #[diesel(sql_type = Array<Uuid>)]
    secret_ids: Vec<EndpointSecretId>,
    #[diesel(sql_type = Array<SealedText>)]
    secrets: Vec<Sealed<String>>,
    #[diesel(sql_type = Array<Nullable<Timestamptz>>)]
    secret_expiries: Vec<Option<DateTime<Utc>>>,
}

/// What of a target is secret.
type Opened = (Vec<String>, Option<Value>, Option<Value>);

impl TargetRow {
    fn opened(&self) -> Result<Opened, Unopened> {
        let key = (self.project_id, self.id);
        let secrets =
            self.secret_ids.iter().zip(&self.secrets).map(|(id, secret)| secret.open(&secret_place(key, *id)));
        Ok((
            secrets.collect::<Result<_, _>>()?,
            sealed::open(self.authentication.as_ref(), &place(AUTHENTICATION, key))?,
            sealed::open(self.mtls_client_cert.as_ref(), &place(CLIENT_CERT, key))?,
        ))
    }
}

impl From<TargetRow> for DeliveryTarget {
    fn from(row: TargetRow) -> Self {
        let (opened, locked) = match row.opened() {
            Ok(opened) => (opened, None),
            Err(why) => (Opened::default(), Some(why)),
        };
        let (secrets, authentication, mtls_client_cert) = opened;
        Self {
            project_id: row.project_id,
            id: row.id,
            name: row.name,
            url: row.url,
            status: row.status,
            advanced_signatures: row.advanced_signatures,
            content_type: row.content_type,
            http_timeout_seconds: row.http_timeout_seconds,
            rate_limit: row.rate_limit,
            rate_limit_duration_seconds: row.rate_limit_duration_seconds,
            authentication,
            mtls_client_cert,
            ordering: row.ordering,
            follow_redirects: row.follow_redirects,
            support_email: row.support_email,
            secrets,
            secret_expiries: row.secret_expiries,
            locked,
        }
    }
}

impl DeliveryTarget {
    /// The secrets that sign at `now`, the oldest first.
    #[must_use]
    pub fn live_secrets(&self, now: DateTime<Utc>) -> Vec<&str> {
        let is_live = |expiry: &Option<DateTime<Utc>>| expiry.is_none_or(|expiry| expiry > now);
        let secrets = self.secrets.iter().zip(&self.secret_expiries);
        secrets.filter(|(_, expiry)| is_live(expiry)).map(|(secret, _)| secret.as_str()).collect()
    }
}

impl std::fmt::Debug for DeliveryTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeliveryTarget").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

/// The live endpoints among `wanted`, with their secrets opened.
///
/// # Errors
/// The database fails.
pub async fn load_targets(
    conn: &mut AsyncPgConnection,
    wanted: &[(ProjectId, EndpointId)],
) -> QueryResult<Vec<DeliveryTarget>> {
    let rows: Vec<TargetRow> = Statement::new(include_str!("sql/load_targets.sql"))
        .bind::<Array<Uuid>, _>(wanted.iter().map(|(project, _)| *project).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(wanted.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(TargetRow::into).collect())
}

/// Stops sending to an endpoint that receives. `false`: it was stopped before, and nobody need hear of it again.
///
/// # Errors
/// The database fails.
pub async fn disable(conn: &mut AsyncPgConnection, project: ProjectId, id: EndpointId) -> QueryResult<bool> {
    use crate::tables::endpoints;
    use diesel::ExpressionMethods as _;
    let changed = diesel::update(endpoints::table)
        .filter(endpoints::project_id.eq(project))
        .filter(endpoints::id.eq(id))
        .filter(endpoints::status.eq(EndpointStatus::Active))
        .set((endpoints::status.eq(EndpointStatus::Inactive), endpoints::updated_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}
