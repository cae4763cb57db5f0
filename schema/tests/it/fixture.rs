//! A project with an endpoint and a subscription, and rows made from them.

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use posthouse_schema::{
    event::NewEvent,
    event_delivery::NewEventDelivery,
    ids::{EndpointId, EventDeliveryId, EventId, OrganisationId, ProjectId, SubscriptionId},
    json::Headers,
    ledger::{AcceptedEvent, Stored, store_events},
    testing::TestDatabase,
    words::{DeliveryMode, DeliveryStatus, EventStatus, RetryStrategy, TargetKind},
};

pub struct Fixture {
    pub database: TestDatabase,
    pub conn: AsyncPgConnection,
    pub project: ProjectId,
    pub endpoint: EndpointId,
    pub subscription: SubscriptionId,
}

pub async fn fixture() -> Fixture {
    let database = TestDatabase::create().await;
    let mut conn = AsyncPgConnection::establish(database.url()).await.unwrap();
    let (organisation, project) = (OrganisationId::generate(), ProjectId::generate());
    let (endpoint, subscription) = (EndpointId::generate(), SubscriptionId::generate());
    for statement in [
        format!("INSERT INTO organisations (id, name) VALUES ('{:032x}', 'acme')", organisation.to_bits()),
        format!(
            "INSERT INTO projects (id, organisation_id, name, kind, config) VALUES ('{:032x}', '{:032x}', 'p', 'outgoing', '{{}}')",
            project.to_bits(),
            organisation.to_bits()
        ),
        format!(
            "INSERT INTO endpoints (project_id, id, name, url, advanced_signatures, owner_id) VALUES ('{:032x}', '{:032x}', 'e', 'https://example.com', true, 'owner')",
            project.to_bits(),
            endpoint.to_bits()
        ),
        format!(
            "INSERT INTO subscriptions (project_id, id, name, endpoint_id, event_types) VALUES ('{:032x}', '{:032x}', 's', '{:032x}', '{{invoice.paid}}')",
            project.to_bits(),
            subscription.to_bits(),
            endpoint.to_bits()
        ),
    ] {
        run(&mut conn, &statement).await;
    }
    Fixture { database, conn, project, endpoint, subscription }
}

pub async fn run(conn: &mut AsyncPgConnection, statement: &str) -> usize {
    diesel::sql_query(statement).execute(conn).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

/// Stores a batch that was matched by what holds now.
pub async fn store(conn: &mut AsyncPgConnection, batch: Vec<AcceptedEvent>) -> Vec<AcceptedEvent> {
    match store_events(conn, batch, &[]).await.unwrap() {
        Stored::Done(batch) => batch,
        Stored::Stale(projects) => panic!("{projects:?}"),
    }
}

impl Fixture {
    pub fn event(&self, id: EventId, key: &str) -> NewEvent {
        NewEvent {
            project_id: self.project,
            id,
            event_type: "invoice.paid".into(),
            target_kind: TargetKind::Single,
            target: self.endpoint.to_string(),
            source_id: None,
            headers: Headers([("X-A".to_string(), vec!["1".to_string()])].into()),
            payload: b"{ \"a\": 1.0 }".to_vec(),
            idempotency_key: key.into(),
            is_duplicate: false,
            url_query_params: String::new(),
            url_path: String::new(),
            endpoint_ids: vec![Some(self.endpoint)],
            status: EventStatus::Success,
            failure_reason: None,
            acknowledged_at: id.created_at(),
        }
    }

    pub fn delivery(&self, event: EventId, due: DateTime<Utc>) -> NewEventDelivery {
        NewEventDelivery {
            project_id: self.project,
            id: EventDeliveryId::derive(event, self.subscription),
            event_id: event,
            endpoint_id: self.endpoint,
            subscription_id: self.subscription,
            event_type: "invoice.paid".into(),
            status: DeliveryStatus::Scheduled,
            delivery_mode: DeliveryMode::AtLeastOnce,
            strategy: RetryStrategy::Linear,
            retry_interval_seconds: 1,
            retry_limit: 3,
            next_send_time: due,
            description: String::new(),
            acknowledged_at: event.created_at(),
            payload: None,
            ordering_key: None,
            retry_schedule: Vec::new(),
            give_up_at: None,
        }
    }
}
