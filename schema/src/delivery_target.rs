//! What sending to an endpoint takes: its URL, how it wants to be called, and the secrets that sign. Read for a whole
//! batch in one statement.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    ids::{EndpointId, ProjectId},
    statement::Statement,
    words::EndpointStatus,
};

/// A live endpoint as the sender sees it. Its `Debug` shows neither secrets nor credentials.
#[derive(Clone, QueryableByName)]
pub struct DeliveryTarget {
    /// The project.
    #[diesel(sql_type = Uuid)]
    pub project_id: ProjectId,
    /// The endpoint.
    #[diesel(sql_type = Uuid)]
    pub id: EndpointId,
    /// Its name, for mails.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Where requests go.
    #[diesel(sql_type = Text)]
    pub url: String,
    /// Whether it receives.
    #[diesel(sql_type = Text)]
    pub status: EndpointStatus,
    /// Whether signatures carry a timestamp.
    #[diesel(sql_type = Bool)]
    pub advanced_signatures: bool,
    /// `application/json` or `application/x-www-form-urlencoded`.
    #[diesel(sql_type = Text)]
    pub content_type: String,
    /// Longest wait for the whole answer; 0 means the default.
    #[diesel(sql_type = Integer)]
    pub http_timeout_seconds: i32,
    /// Requests that it takes in [`Self::rate_limit_duration_seconds`]; 0 for any number.
    #[diesel(sql_type = Integer)]
    pub rate_limit: i32,
    /// The stretch of time of its rate limit; 0 for none.
    #[diesel(sql_type = Integer)]
    pub rate_limit_duration_seconds: i32,
    /// How requests authenticate, contract section 2.2; `None` for not at all.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub authentication: Option<serde_json::Value>,
    /// What requests prove themselves with in TLS: `{"client_cert", "client_key"}`, each as PEM.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub mtls_client_cert: Option<serde_json::Value>,
    /// What becomes of its lines of deliveries when the first fails, as `Ordering`.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub ordering: Option<serde_json::Value>,
    /// Whether answers that lead elsewhere are followed.
    #[diesel(sql_type = Bool)]
    pub follow_redirects: bool,
    /// Who hears that it was disabled; empty for nobody.
    #[diesel(sql_type = Text)]
    pub support_email: String,
    /// The secrets that were live when this was read, the oldest first.
    #[diesel(sql_type = Array<Text>)]
    pub secrets: Vec<String>,
    /// When each of them expires; `None` for never.
    #[diesel(sql_type = Array<Nullable<Timestamptz>>)]
    pub secret_expiries: Vec<Option<DateTime<Utc>>>,
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

/// The live endpoints among `wanted`.
///
/// # Errors
/// The database fails.
pub async fn load_targets(
    conn: &mut AsyncPgConnection,
    wanted: &[(ProjectId, EndpointId)],
) -> QueryResult<Vec<DeliveryTarget>> {
    Statement::new(include_str!("sql/load_targets.sql"))
        .bind::<Array<Uuid>, _>(wanted.iter().map(|(project, _)| *project).collect::<Vec<_>>())
        .bind::<Array<Uuid>, _>(wanted.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .load(conn)
        .await
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
