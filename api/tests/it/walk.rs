//! One of everything that a tenant can have, and what each operation of the API is asked with about it. An operation that
//! is missing here fails every walk, so that no route escapes them.

use posthouse_schema::{
    batch_run::BatchRun,
    ids::{DeliveryAttemptId, EventDeliveryId, EventId, RejectedMessageId, SubscriptionId},
    rejected_message::{self, NewRejectedMessage},
    words::BatchKind,
};
use salvo::oapi::OpenApi;
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

/// Stands in every text that is the tenant's own: nobody else may read it.
pub const MARK: &str = "belongs-to-somebody";

/// Who owns one of everything.
pub struct Tenant {
    /// The project.
    pub project: String,
    /// Its key.
    pub key: String,
    /// Ids by the names that paths give them.
    ids: Vec<(&'static str, String)>,
}

/// A route of a description.
#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
}

/// All routes of a description.
pub fn operations(description: &OpenApi) -> Vec<Operation> {
    let json = serde_json::to_value(description).unwrap();
    let mut found = Vec::new();
    for (path, methods) in json["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // Whoever knows a source's URL may send to it, and proves itself by a signature: tests of its own.
            if path.starts_with("/ingest/") {
                continue;
            }
            let id = operation["operationId"].as_str().unwrap().to_string();
            found.push(Operation { id, method: method.to_uppercase(), path: path.clone() });
        }
    }
    assert!(found.len() > 10, "the walk goes nowhere");
    found
}

impl Operation {
    /// Whether it names a resource, rather than a collection.
    pub fn names_a_resource(&self) -> bool {
        self.path.split('/').any(|part| part.starts_with('{') && part != "{project_id}")
    }

    /// Asks it about the tenant's resources.
    pub async fn ask(&self, api: &Api, tenant: &Tenant, key: Option<&str>) -> Answer {
        let body = body(&self.id, tenant);
        let mut path = tenant.fill(&self.path);
        if self.id == "GetDashboardSummary" {
            path += if path.contains('?') { "&" } else { "?" };
            path += "startDate=2026-01-01T00:00:00&type=yearly";
        }
        api.send(&self.method, &path, key, &[], body.map(|body| body.to_string())).await
    }
}

impl Tenant {
    /// Makes one of everything in this project, for this owner.
    pub async fn make(api: &Api, (project, key): (&str, &str), owner: &str) -> Self {
        let mut tenant = Self { project: project.into(), key: key.into(), ids: Vec::new() };
        let url = format!("https://example.com/{MARK}");
        let named = |rest: Value| {
            let mut body = json!({"name": MARK});
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            body
        };
        let endpoint = tenant.insert(api, "endpoints", named(json!({"url": url, "owner_id": owner}))).await;
        tenant.ids.push(("endpoint_id", endpoint.clone()));
        let subscription = tenant.insert(api, "subscriptions", named(json!({"endpoint_id": endpoint}))).await;
        let filters = format!("subscriptions/{subscription}/filters");
        tenant.ids.push(("subscription_id", subscription));
        let filter = json!({"event_type": "order.paid", "body": {"is": MARK}});
        let filter = tenant.insert(api, &filters, filter).await;
        tenant.ids.push(("filter_id", filter));
        let source = tenant.insert(api, "sources", named(json!({"type": "http"}))).await;
        tenant.ids.push(("source_id", source));
        let link = tenant.insert(api, "portal-links", named(json!({"owner_id": owner}))).await;
        tenant.ids.push(("portal_link_id", link));
        let event_type = tenant.insert(api, "event-types", json!({"name": "order.paid", "description": MARK})).await;
        tenant.ids.push(("event_type_id", event_type));
        tenant.store_an_event(api).await;
        tenant
    }

    async fn insert(&self, api: &Api, resource: &str, body: Value) -> String {
        let path = format!("/api/v1/projects/{}/{resource}", self.project);
        let answer = api.send("POST", &path, Some(&self.key), &[], Some(body.to_string())).await;
        assert_eq!(answer.status, 201, "{resource}: {}", answer.body);
        answer.uid()
    }

    /// An event that failed to be delivered, as the worker leaves it.
    async fn store_an_event(&mut self, api: &Api) {
        let event = EventId::generate();
        let subscription: SubscriptionId = self.id("subscription_id").parse().unwrap();
        let (delivery, attempt) = (EventDeliveryId::derive(event, subscription), DeliveryAttemptId::generate());
        let bits = |id: &str| format!("{:032x}", id.parse::<EventId>().unwrap().to_bits());
        let (project, endpoint) = (bits(&self.project), bits(self.id("endpoint_id")));
        let endpoint_text = self.id("endpoint_id").to_string();
        let (event_bits, delivery_bits, attempt_bits, subscription_bits) =
            (event.to_bits(), delivery.to_bits(), attempt.to_bits(), subscription.to_bits());
        let meta_event = EventId::generate();
        self.ids.push(("meta_event_id", meta_event.to_string()));
        for statement in [
            format!(
                "INSERT INTO meta_events (project_id, id, event_type, payload, status, strategy, retry_interval_seconds, retry_limit, next_send_time)
                 VALUES ('{project}', '{:032x}', 'endpoint.created', '{{\"data\": \"{MARK}\"}}', 'Failure', 'linear', 1, 1, now())",
                meta_event.to_bits()
            ),
            format!(
                "INSERT INTO events (project_id, id, event_type, target_kind, target, headers, payload, idempotency_key, is_duplicate, url_query_params, url_path, endpoint_ids, status, acknowledged_at)
                 VALUES ('{project}', '{event_bits:032x}', 'order.paid', 'single', '{endpoint_text}', '{{\"Authorization\": [\"{MARK}\"]}}', '{{\"is\": \"{MARK}\"}}', '', false, '', '', '{{{endpoint}}}', 'Success', now())"
            ),
            format!(
                "INSERT INTO event_deliveries (project_id, id, event_id, endpoint_id, subscription_id, event_type, status, delivery_mode, strategy, retry_interval_seconds, retry_limit, attempt_count, next_send_time, acknowledged_at, description)
                 VALUES ('{project}', '{delivery_bits:032x}', '{event_bits:032x}', '{endpoint}', '{subscription_bits:032x}', 'order.paid', 'Failure', 'at_least_once', 'linear', 1, 1, 1, now(), now(), '{MARK}')"
            ),
            format!(
                "INSERT INTO delivery_attempts (project_id, id, event_delivery_id, endpoint_id, url, method, is_success, request_headers, response_headers, requested_at, duration_ms)
                 VALUES ('{project}', '{attempt_bits:032x}', '{delivery_bits:032x}', '{endpoint}', 'https://example.com/{MARK}', 'POST', false, '{{\"X-Api-Key\": [\"k\"]}}', '{{\"Set-Cookie\": [\"c\"]}}', now(), 1)"
            ),
        ] {
            api.database.run(&statement).await;
        }
        self.ids.push(("event_id", event.to_string()));
        self.store_a_batch(api).await;
        self.store_a_rejected_message(api).await;
        self.ids.push(("delivery_id", delivery.to_string()));
        self.ids.push(("attempt_id", attempt.to_string()));
    }

    /// A replay that waits.
    async fn store_a_batch(&mut self, api: &Api) {
        let (mut conn, project) = (api.database.pool().get().await.unwrap(), self.project.parse().unwrap());
        let filter = json!({"idempotency_key": MARK});
        let batch = BatchRun::insert(&mut conn, project, BatchKind::Replay, &filter).await.unwrap().unwrap();
        self.ids.push(("batch_id", batch.to_string()));
    }

    /// A message of a broker that could not become an event, as the worker leaves it.
    async fn store_a_rejected_message(&mut self, api: &Api) {
        let new = NewRejectedMessage {
            project_id: self.project.parse().unwrap(),
            id: RejectedMessageId::generate(),
            source_id: self.id("source_id").parse().unwrap(),
            reason: "not_json".into(),
            detail: MARK.into(),
            payload: MARK.into(),
            payload_bytes: i64::try_from(MARK.len()).unwrap(),
            metadata: [("topic".into(), MARK.into())].into(),
        };
        rejected_message::store(&mut api.database.pool().get().await.unwrap(), &new).await.unwrap();
        self.ids.push(("rejected_message_id", new.id.to_string()));
    }

    /// The tenant's resource that paths name like this.
    pub fn id(&self, name: &str) -> &str {
        self.ids
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| panic!("the walk has no {name}: let every tenant have one"), |(_, id)| id.as_str())
    }

    /// A described path with the tenant's ids.
    pub fn fill(&self, path: &str) -> String {
        let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some("project_id") => self.project.clone(),
            Some("event_type") => "order.paid".into(),
            Some(name) => self.id(name).to_string(),
            None => part.to_string(),
        };
        path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    /// All that its key can read of it: what no stranger may have changed.
    pub async fn snapshot(&self, api: &Api) -> Vec<Value> {
        let mut found = Vec::new();
        for path in [
            "",
            "/endpoints",
            "/subscriptions",
            "/subscriptions/{subscription_id}/filters",
            "/sources",
            "/portal-links",
            "/event-types",
            "/meta-events",
            "/events",
            "/eventdeliveries",
            "/eventdeliveries/{delivery_id}/deliveryattempts",
            "/batches",
            "/rejected-messages",
        ] {
            let path = self.fill(&format!("/api/v1/projects/{}{path}", self.project));
            let answer = api.send("GET", &path, Some(&self.key), &[], None).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            found.push(answer.body);
        }
        assert!(found[1].to_string().contains(MARK), "the tenant has something to lose");
        found
    }
}

/// What an operation is asked with; `None` for one without a body. What the asker makes has other names, so that the mark
/// in an answer is the tenant's.
fn body(operation: &str, tenant: &Tenant) -> Option<Value> {
    let apart = of_filters_and_functions(operation, tenant).or_else(|| of_new_events(operation, tenant));
    if apart.is_some() {
        return apart;
    }
    let endpoint = || tenant.id("endpoint_id");
    Some(match operation {
        "CreateProject" | "UpdateProject" => json!({"name": "renamed", "type": "outgoing"}),
        "CreateEndpoint" | "UpdateEndpoint" => {
            json!({"name": "renamed", "url": "https://example.com/elsewhere", "owner_id": "mallory"})
        }
        "ExpireSecret" => json!({"secret": "known-to-mallory", "expiration": 0}),
        "CreateSubscription" => json!({"name": "mine", "endpoint_id": endpoint()}),
        "UpdateSubscription" => json!({"name": "renamed"}),
        "CreateSource" | "UpdateSource" => json!({"name": "renamed", "type": "http"}),
        "CreatePortalLink" => json!({"name": "mine", "owner_id": "mallory", "endpoints": [endpoint()]}),
        "UpdatePortalLink" => json!({"name": "renamed", "owner_id": "mallory"}),
        "CreateEventType" => json!({"name": "mine"}),
        "UpdateEventType" => json!({"description": "changed"}),
        "ImportOpenApiSpec" => json!({"spec": r#"{"webhooks": {"order.paid": {"post": {"description": "mine"}}}}"#}),
        "TestOAuth2Connection" => json!({"oauth2": null}),
        "BulkOnboard" => json!({"items": [{"name": "mine", "url": "https://example.com/mallory"}]}),
        "DeprecateEventType" | "ResendMetaEvent" | "CancelBatch" => json!("{}"),
        redrive if redrive.starts_with("RedriveRejectedMessage") => json!("{}"),
        bare if bare.contains("RejectedMessage") || bare.ends_with("AuditLog") => return None,
        "ForceResendEventDeliveries" => json!({"ids": [tenant.id("delivery_id")]}),
        "ReplayEndpointEvent" | "ResendEventDelivery" | "BatchRetryEventDelivery" => json!("{}"),
        "BatchReplayEvents" => json!(null),
        "PauseEndpoint" | "ActivateEndpoint" | "RevokePortalLink" | "ToggleSubscriptionStatus" => json!("{}"),
        "GetProjects"
        | "GetProject"
        | "DeleteProject"
        | "GetEndpoints"
        | "GetEndpoint"
        | "DeleteEndpoint"
        | "GetSubscriptions"
        | "GetSubscription"
        | "DeleteSubscription"
        | "GetFilters"
        | "GetFilter"
        | "DeleteFilter"
        | "LoadSourcesPaged"
        | "GetSource"
        | "GetSourceStatus"
        | "DeleteSource"
        | "GetEventsPaged"
        | "GetEndpointEvent"
        | "GetEndpointsPeriodFailureRates"
        | "CountAffectedEvents"
        | "CountBatchRetryEvents"
        | "GetEventDeliveriesStatusTotals"
        | "GetEventTypes"
        | "GetMetaEventsPaged"
        | "GetMetaEvent"
        | "GetBatches"
        | "GetBatch"
        | "GetEventDeliveriesPaged"
        | "GetEventDelivery"
        | "GetDeliveryAttempts"
        | "GetDeliveryAttempt"
        | "LoadPortalLinksPaged"
        | "GetPortalLink"
        | "RefreshPortalLinkAuthToken"
        | "GetOwnPortalLink"
        | "GetDashboardSummary"
        | "GetConfiguration"
        | "GetAuthConfiguration"
        | "GetLicenseFeatures"
        | "Health" => return None,
        other => panic!("the walk does not know {other}: say here what it is asked with"),
    })
}

fn of_filters_and_functions(operation: &str, tenant: &Tenant) -> Option<Value> {
    Some(match operation {
        "CreateFilter" | "UpdateFilter" => json!({"event_type": "order.made", "body": {"is": "changed"}}),
        "BulkCreateFilters" => json!([{"event_type": "order.made"}]),
        "BulkUpdateFilters" => json!([{"uid": tenant.id("filter_id"), "event_type": "order.made"}]),
        "TestFilter" => json!({"payload": {}}),
        "TestSourceConnection" | "TestSourceSettings" => json!({"pub_sub": {"type": "mqtt"}}),
        "TestSubscriptionFilter" => json!({"request": {}, "schema": {}}),
        "TestSubscriptionFunction" | "PostV1ProjectsProjectIDSourcesTestFunction" => {
            json!({"payload": {}, "function": "function transform(payload) { return payload }", "type": "header"})
        }
        _ => return None,
    })
}

fn of_new_events(operation: &str, tenant: &Tenant) -> Option<Value> {
    let endpoint = || tenant.id("endpoint_id");
    Some(match operation {
        "CreateEndpointEvent" => json!({"endpoint_id": endpoint(), "event_type": "order.paid", "data": {}}),
        "CreateEndpointFanoutEvent" => json!({"owner_id": "ada", "event_type": "order.paid", "data": {}}),
        "CreateBroadcastEvent" => json!({"event_type": "order.paid", "data": {}}),
        "CreateDynamicEvent" => {
            json!({"url": "https://example.com/mallory", "event_type": "order.paid", "data": {}})
        }
        "CreateEventBatch" => {
            json!({"events": [{"endpoint_id": endpoint(), "event_type": "order.paid", "data": {}}]})
        }
        _ => return None,
    })
}
