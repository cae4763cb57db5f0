//! A ledger with a project, and rows of every kind in it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryableByName, sql_types::Text};
use diesel_async::RunQueryDsl as _;
use posthouse_archive::{Export, PART_BYTES, Progress, Window};
use posthouse_schema::{
    ids::{OrganisationId, ProjectId},
    pool::Pool,
    testing::TestDatabase,
};

/// What the tests' rows belong to: as long before now as no partition is made for.
pub fn then() -> DateTime<Utc> {
    DateTime::from_timestamp_millis((Utc::now() - TimeDelta::days(20)).timestamp_millis()).unwrap()
}

pub struct Ledger {
    pub database: TestDatabase,
    pub pool: Pool,
    pub project: ProjectId,
}

impl Ledger {
    /// One with nothing in it but this project.
    pub async fn empty(project: ProjectId) -> Self {
        let database = TestDatabase::create().await;
        let organisation = OrganisationId::generate().to_bits();
        database.run(&format!("INSERT INTO organisations (id, name) VALUES ('{organisation:032x}', 'acme')")).await;
        database
            .run(&format!(
                "INSERT INTO projects (id, organisation_id, name, kind, config) \
                 VALUES ('{:032x}', '{organisation:032x}', 'p', 'outgoing', '{{}}')",
                project.to_bits()
            ))
            .await;
        let pool = database.pool();
        Self { database, pool, project }
    }

    /// One with `count` events, a second apart from `first` on, each with a delivery and an attempt.
    pub async fn filled(first: DateTime<Utc>, count: u32) -> Self {
        let ledger = Self::empty(ProjectId::generate()).await;
        ledger.fill(first, count).await;
        ledger
    }

    async fn fill(&self, first: DateTime<Utc>, count: u32) {
        let project = format!("{:032x}", self.project.to_bits());
        let begin = first.timestamp_millis();
        let id =
            |kind: &str| format!("(lpad(to_hex({begin} + n * 1000), 12, '0') || left(md5('{kind}' || n), 20))::uuid");
        let [event, delivery, attempt] = ["event", "delivery", "attempt"].map(id);
        let rows = format!("FROM generate_series(0, {} - 1) AS n", count);
        let any = "md5('any' || n)::uuid";
        // Times end in microseconds, which is as fine as the ledger has them.
        let time = format!("to_timestamp({begin} / 1000.0) + n * interval '1.000007 seconds'");
        for statement in [
            format!(
                "INSERT INTO events (project_id, id, event_type, target_kind, target, source_id, headers, payload, \
                 idempotency_key, is_duplicate, url_query_params, url_path, endpoint_ids, status, failure_reason, \
                 acknowledged_at, updated_at) \
                 SELECT '{project}', {event}, 'invoice.paid', 'broadcast', '', CASE WHEN n % 2 = 0 THEN {any} END, \
                 jsonb_build_object('X-Zürich', jsonb_build_array('\"' || n, 'b')), \
                 CASE WHEN n % 3 = 0 THEN decode('ff00', 'hex') ELSE convert_to('{{ \"id\": ' || n || '.0 }}', 'UTF8') END, \
                 CASE WHEN n % 4 = 0 THEN 'key' || n / 8 ELSE '' END, n % 8 = 4, 'a=1', '/p', \
                 CASE WHEN n % 8 = 4 THEN '{{}}' ELSE ARRAY[{any}] END, 'Success', NULL, {time}, {time} {rows}"
            ),
            format!(
                "INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, \
                 delivery_mode, target_url, strategy, retry_interval_seconds, retry_limit, attempt_count, next_send_time, \
                 latency_seconds, description, acknowledged_at, updated_at, payload, held_by, ordering_key, line_place, \
                 retry_schedule, give_up_at) \
                 SELECT '{project}', {delivery}, {event}, {any}, {any}, 'invoice.paid', \
                 (ARRAY['Success', 'Failure', 'Discarded', 'Retry', 'Scheduled'])[1 + n % 5], 'at_least_once', \
                 CASE WHEN n % 2 = 0 THEN 'https://example.com/' || n END, 'custom', 1, 3, 1, {time}, \
                 CASE WHEN n % 2 = 1 THEN n / 7.0::float8 END, 'it \"said\" so', {time}, {time}, \
                 CASE WHEN n % 3 = 0 THEN convert_to('ä' || n, 'UTF8') END, CASE WHEN n % 5 = 4 THEN 'rate_limit' END, \
                 CASE WHEN n % 5 = 4 THEN 'line' END, CASE WHEN n % 5 = 4 THEN 1000 + n END, \
                 CASE WHEN n % 2 = 0 THEN ARRAY[5, 60] END, CASE WHEN n % 2 = 0 THEN {time} END {rows} WHERE n % 8 <> 4"
            ),
            format!(
                "INSERT INTO delivery_attempts (project_id, id, event_delivery_id, endpoint_id, url, method, is_success, \
                 status_code, error, error_class, request_headers, response_headers, response_body, ip_address, \
                 requested_at, responded_at, duration_ms, queue_ms, dns_us, connect_us, tls_us, first_byte_us, redirects) \
                 SELECT '{project}', {attempt}, {delivery}, {any}, 'https://example.com', 'POST', n % 2 = 0, 200 + n % 5, \
                 CASE WHEN n % 2 = 1 THEN 'no' END, CASE WHEN n % 2 = 1 THEN 'timeout' END, '{{\"A\": [\"1\"]}}', '{{}}', \
                 CASE WHEN n % 2 = 0 THEN decode('00fe', 'hex') END, '192.0.2.1', {time}, \
                 CASE WHEN n % 2 = 0 THEN {time} END, 5, 1, 2, NULL, 4, 5, \
                 CASE WHEN n % 4 = 0 THEN '[{{\"status\": 302, \"url\": \"https://example.org\"}}]'::jsonb END {rows} WHERE n % 8 <> 4"
            ),
        ] {
            self.database.run(&statement).await;
        }
    }

    /// Every row of a table as text, without these columns.
    pub async fn rows(&self, table: &str, without: &[&str]) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            row: String,
        }
        let without = format!("{{{}}}", without.join(","));
        let statement = format!("SELECT (to_jsonb(t) - '{without}'::text[])::text AS row FROM {table} t ORDER BY 1");
        let mut conn = self.pool.get().await.unwrap();
        let rows: Vec<Row> = diesel::sql_query(statement).load(&mut conn).await.unwrap();
        rows.into_iter().map(|row| row.row).collect()
    }

    /// An export of everything from `first` on, in files of so many bytes.
    pub fn export_of(&self, first: DateTime<Utc>, part_bytes: u64) -> Export {
        let window = Window { from: first, to: first + TimeDelta::days(10) };
        Export { project: self.project, window: Some(window), part_bytes }
    }

    pub fn whole(&self) -> Export {
        Export { project: self.project, window: None, part_bytes: PART_BYTES }
    }
}

pub fn nobody(_: Progress) {}
