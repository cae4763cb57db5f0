//! A project's settings as stored in `projects.config`: JSON with the names of the public API, contract section 2.1.
//! Missing keys take their defaults, so that an old row can be read by a newer release.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, QueryResult,
    deserialize::{self, FromSql},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, Output, ToSql},
    sql_types::Jsonb,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use crate::{
    event::KeyWindow,
    ids::ProjectId,
    portal_config::PortalConfig,
    retention::RetentionPolicy,
    sealed::{MemberSecret, Place, SealedJsonb, keys, place},
    tables::{projects, routing_versions},
    words::{MetaEventKind, RetryStrategy, StandardWebhooks},
};

/// The header that carries the request id, unless a project chooses its own.
pub const DEFAULT_REQUEST_ID_HEADER: &str = "X-Convoy-Idempotency-Key";
/// The header that carries the signature, unless a project chooses its own.
pub const DEFAULT_SIGNATURE_HEADER: &str = "X-Convoy-Signature";

/// Everything a project can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectConfig {
    /// Bytes of an ingested body; 0 means the instance's limit.
    pub max_payload_read_size: u64,
    /// Stored for clients that set it; our signatures always carry what prevents replays.
    pub replay_attacks_prevention_enabled: bool,
    /// Whether deliveries carry `X-Convoy-Event-ID` and `X-Convoy-EventDelivery-ID`.
    pub add_event_id_trace_headers: bool,
    /// Whether an endpoint is disabled after a delivery ran out of attempts.
    pub disable_endpoint: bool,
    /// Whether one endpoint may have several subscriptions.
    pub multiple_endpoint_subscriptions: bool,
    /// Whether creating a dynamic event waits until its URL is resolved.
    pub verify_dynamic_events: bool,
    /// Whether an unmatched dynamic URL may create an endpoint although templates exist.
    pub allow_unmatched_dynamic_urls: bool,
    /// How far back searches look, as a duration text; informational.
    pub search_policy: String,
    /// Events the project may create per duration.
    pub ratelimit: RateLimit,
    /// When failed deliveries are tried again.
    pub strategy: RetryPolicy,
    /// Rules for endpoint URLs.
    pub ssl: SslConfig,
    /// How deliveries are signed.
    pub signature: SignatureConfig,
    /// The header that carries an event's idempotency key to endpoints.
    pub request_id_header: String,
    /// Events about the project itself.
    pub meta_event: MetaEventConfig,
    /// Thresholds of the circuit breaker; `None` means the instance's.
    pub circuit_breaker: Option<serde_json::Value>,
    /// Seconds after an event for which another one with its idempotency key is a repeat; 0 for as long as it is kept.
    #[serde(skip_serializing_if = "is_for_ever")]
    pub idempotency_key_window: u32,
    /// Who hears that endpoints or sources fail.
    #[serde(skip_serializing_if = "NotificationConfig::is_none")]
    pub notifications: NotificationConfig,
    /// How long it keeps what it has, where that is not as long as the instance does.
    #[serde(skip_serializing_if = "RetentionPolicy::is_empty")]
    pub retention_policy: RetentionPolicy,
    /// How the portal of its customers looks, and who may frame it.
    #[serde(skip_serializing_if = "PortalConfig::is_default")]
    pub portal: PortalConfig,
}

/// Who hears of what has happened to a project; empty texts for nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationConfig {
    /// Address of a mailbox.
    pub email: String,
    /// URL of an incoming webhook of Slack, which is its own password.
    pub slack_webhook_url: MemberSecret,
    /// URL of an incoming webhook of Microsoft Teams, which is its own password.
    pub teams_webhook_url: MemberSecret,
}

impl NotificationConfig {
    /// Whether somebody hears.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.is_none()
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl ProjectConfig {
    /// The largest [`Self::idempotency_key_window`]: a year.
    pub const KEY_WINDOW_SECONDS_MAX: u32 = 31_536_000;

    /// How long an idempotency key is taken.
    #[must_use]
    pub fn key_window(&self) -> KeyWindow {
        KeyWindow::of_seconds(self.idempotency_key_window)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_for_ever(seconds: &u32) -> bool {
    *seconds == 0
}

/// So many events per so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Events.
    pub count: i32,
    /// Seconds.
    pub duration: i32,
}

/// When failed deliveries are tried again. Each delivery keeps a copy from the time it was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How the wait grows.
    #[serde(rename = "type")]
    pub strategy: RetryStrategy,
    /// The first wait, in seconds.
    pub duration: i32,
    /// Attempts in total, the first one included; 0 counts as 1.
    pub retry_count: i32,
    /// The waits of a custom strategy, in seconds, one after each attempt but the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<i32>,
    /// Seconds after acceptance from which on nothing is tried any more; 0 for never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deadline: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl RetryPolicy {
    /// The largest [`Self::retry_count`].
    pub const ATTEMPTS_MAX: i32 = 100;
    /// The largest [`Self::duration`].
    pub const WAIT_SECONDS_MAX: i32 = 86_400;
    /// The largest [`Self::deadline`]: 30 days.
    pub const DEADLINE_SECONDS_MAX: i32 = 2_592_000;

    /// What a caller can set and no delivery could follow; the message names the field.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let (most, longest) = (Self::ATTEMPTS_MAX - 1, Self::WAIT_SECONDS_MAX);
        let is_custom = self.strategy == RetryStrategy::Custom;
        let is_long = |wait: &i32| !(0..=longest).contains(wait);
        if is_custom && (self.schedule.is_empty() || self.schedule.len() > usize::try_from(most).unwrap_or(0)) {
            return Some(format!("schedule: between 1 and {most} waits are expected with type custom"));
        }
        if !is_custom && !self.schedule.is_empty() {
            return Some("schedule: only type custom has one".into());
        }
        if self.schedule.iter().any(is_long) {
            return Some(format!("schedule: numbers of seconds between 0 and {longest} are expected"));
        }
        let latest = Self::DEADLINE_SECONDS_MAX;
        let is_late = !(0..=latest).contains(&self.deadline);
        is_late.then(|| format!("deadline: a number of seconds between 0 and {latest} is expected"))
    }

    /// Attempts in total.
    #[must_use]
    pub fn attempts(&self) -> i32 {
        match self.strategy {
            RetryStrategy::Linear | RetryStrategy::Exponential => self.retry_count,
            RetryStrategy::Custom => i32::try_from(self.schedule.len()).unwrap_or(i32::MAX).saturating_add(1),
        }
    }

    /// The first wait, in seconds.
    #[must_use]
    pub fn first_wait(&self) -> i32 {
        self.schedule.as_slice().first().copied().unwrap_or(self.duration)
    }
}

/// Rules for endpoint URLs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SslConfig {
    /// Refuse `http` endpoints.
    pub enforce_secure_endpoints: bool,
}

/// How deliveries are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureConfig {
    /// Name of the header.
    pub header: String,
    /// Version n of the list signs as `vn`; simple signatures use the last one. Never empty.
    pub versions: Vec<SignatureVersion>,
    /// Whether `webhook-signature` is sent as well.
    #[serde(default)]
    pub standard_webhooks: StandardWebhooks,
}

/// One way of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureVersion {
    /// Its id on the wire.
    pub uid: String,
    /// The hash under the HMAC.
    pub hash: SignatureHash,
    /// How the digest is written.
    pub encoding: SignatureEncoding,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// The hash under the HMAC: the two with which every client library can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SignatureHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureEncoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// Events about the project itself, sent to a URL of its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetaEventConfig {
    /// Whether they are sent.
    pub is_enabled: bool,
    /// `http`, or empty where nothing was set.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which ones, as words of [`MetaEventKind`].
    pub event_type: Option<Vec<String>>,
    /// Where to.
    pub url: String,
    /// What signs them.
    pub secret: MemberSecret,
    /// Always null; clients of the contract read it.
    pub pub_sub: Option<serde_json::Value>,
}

impl MetaEventConfig {
    /// Whether events of this kind are sent.
    #[must_use]
    pub fn wants(&self, kind: MetaEventKind) -> bool {
        self.is_enabled && self.event_type.iter().flatten().any(|name| name == kind.as_str())
    }
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            max_payload_read_size: 51_200,
            replay_attacks_prevention_enabled: false,
            add_event_id_trace_headers: false,
            disable_endpoint: false,
            multiple_endpoint_subscriptions: false,
            verify_dynamic_events: false,
            allow_unmatched_dynamic_urls: false,
            search_policy: String::new(),
            ratelimit: RateLimit { count: 1000, duration: 60 },
            strategy: RetryPolicy {
                strategy: RetryStrategy::Linear,
                duration: 100,
                retry_count: 10,
                schedule: Vec::new(),
                deadline: 0,
            },
            ssl: SslConfig::default(),
            signature: SignatureConfig::default(),
            request_id_header: DEFAULT_REQUEST_ID_HEADER.into(),
            meta_event: MetaEventConfig::default(),
            circuit_breaker: None,
            idempotency_key_window: 0,
            notifications: NotificationConfig::default(),
            retention_policy: RetentionPolicy::default(),
            portal: PortalConfig::default(),
        }
    }
}

impl Default for SignatureConfig {
    fn default() -> Self {
        Self {
            header: DEFAULT_SIGNATURE_HEADER.into(),
            versions: vec![SignatureVersion {
                uid: ulid::Ulid::generate().to_string(),
                hash: SignatureHash::Sha256,
                encoding: SignatureEncoding::Hex,
                created_at: Utc::now(),
            }],
            standard_webhooks: StandardWebhooks::default(),
        }
    }
}

/// The settings of the live projects among `ids`, each with the routing version before which they did not change.
///
/// # Errors
/// The database fails.
pub async fn load(
    conn: &mut AsyncPgConnection,
    ids: &[ProjectId],
) -> QueryResult<HashMap<ProjectId, (ProjectConfig, i64)>> {
    let rows: Vec<(ProjectId, StoredConfig, Option<i64>)> = projects::table
        .left_join(routing_versions::table.on(routing_versions::project_id.eq(projects::id)))
        .filter(projects::id.eq_any(ids))
        .filter(projects::deleted_at.is_null())
        .select((projects::id, projects::config, routing_versions::version.nullable()))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, config, version)| (id, (config.open(id), version.unwrap_or(0)))).collect())
}

/// The settings as they are stored: the secrets that are among them are sealed.
#[derive(Debug, Clone, AsExpression, diesel::deserialize::FromSqlRow)]
#[diesel(sql_type = SealedJsonb)]
pub(crate) struct StoredConfig(ProjectConfig);

impl StoredConfig {
    pub(crate) fn seal(config: &ProjectConfig, project: ProjectId) -> Self {
        let mut config = config.clone();
        for (secret, place) in secrets(&mut config, project) {
            *secret = secret.stored(keys(), &place).into();
        }
        Self(config)
    }

    pub(crate) fn open(self, project: ProjectId) -> ProjectConfig {
        let mut config = self.0;
        for (secret, place) in secrets(&mut config, project) {
            *secret = std::mem::take(secret).opened(keys(), &place);
        }
        config
    }
}

/// Every secret among the settings, each with its place. They are in `sealed::SealedColumn::ALL` as well.
fn secrets(config: &mut ProjectConfig, project: ProjectId) -> [(&mut MemberSecret, Place); 3] {
    // Whole, so that whoever adds something says here whether it is a secret.
    let MetaEventConfig { is_enabled: _, kind: _, event_type: _, url: _, secret, pub_sub: _ } = &mut config.meta_event;
    let NotificationConfig { email: _, slack_webhook_url, teams_webhook_url } = &mut config.notifications;
    let at = |column| Place::new(column, &[project.to_bits()]);
    [
        (secret, at(place::META_EVENT_SECRET)),
        (slack_webhook_url, at(place::PROJECT_SLACK_URL)),
        (teams_webhook_url, at(place::PROJECT_TEAMS_URL)),
    ]
}

impl ToSql<SealedJsonb, Pg> for StoredConfig {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(&self.0)?;
        <serde_json::Value as ToSql<Jsonb, Pg>>::to_sql(&value, &mut out.reborrow())
    }
}

impl FromSql<SealedJsonb, Pg> for StoredConfig {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(value)?;
        Ok(Self(serde_json::from_value(value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_is_the_default() {
        let config: ProjectConfig =
            serde_json::from_str(r#"{"strategy":{"type":"exponential","duration":5,"retry_count":3}}"#).unwrap();
        let RetryPolicy { strategy, duration, retry_count, .. } = config.strategy;
        assert_eq!((strategy, duration, retry_count), (RetryStrategy::Exponential, 5, 3));
        assert_eq!(config.request_id_header, DEFAULT_REQUEST_ID_HEADER);
        assert_eq!(config.signature.versions.len(), 1);
    }
}
