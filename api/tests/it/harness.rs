//! An API of its own for each test, and a small client.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use posthouse_api::{
    app::{AccountSettings, ApiSettings, App},
    board,
    outbound::{Outbound, Way},
    router,
};
use posthouse_egress::{AddressRule, Rules};
use posthouse_jobs::{
    CreateEvent, Job, SendEmail,
    queue::{JobState, testing::TestQueues},
};
use posthouse_schema::{
    api_key::{ApiKey, Owner},
    event::NewEvent,
    event_delivery::NewEventDelivery,
    ids::{EventDeliveryId, EventId, OrganisationId, SubscriptionId},
    json::Headers,
    ledger::{self, AcceptedEvent, Stored},
    organisation,
    project::{NewProject, Project},
    project_config::ProjectConfig,
    testing::TestDatabase,
    user,
    words::{DeliveryMode, DeliveryStatus, EventStatus, ProjectKind, RetryStrategy, Role, TargetKind},
};
use posthouse_service::probes::Checks;
use salvo::{
    Service,
    http::{HeaderName, StatusCode},
    test::{RequestBuilder, ResponseExt as _, TestClient},
};
use serde_json::Value;

/// Most bytes of a body in these tests.
pub const BODY_BYTES_MAX: usize = 4_096;

pub struct Api {
    service: Service,
    board: Service,
    pub queues: TestQueues,
    pub database: TestDatabase,
    pub organisation: OrganisationId,
    pub project: String,
    pub key: String,
    pub personal_key: String,
    /// Of who runs the instance.
    pub instance_key: String,
}

/// Accounts as these tests have them: everybody may sign up, and says where they come from.
pub fn accounts() -> AccountSettings {
    AccountSettings {
        is_sign_up_open: true,
        public_url: "https://console.example.com".parse().unwrap(),
        access_token_secret: None,
        refresh_token_secret: None,
        client_address_header: Some(HeaderName::from_static("x-forwarded-for")),
    }
}

/// How long something may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until it holds.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(PAUSE).await;
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: salvo::http::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    pub fn uid(&self) -> String {
        self.body["data"]["uid"].as_str().unwrap_or_else(|| panic!("{}", self.body)).to_string()
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with_accounts(accounts()).await
    }

    /// Starts one with these settings of accounts.
    pub async fn start_with_accounts(accounts: AccountSettings) -> Self {
        Self::start_with(ApiSettings { accounts, ..ApiSettings::default() }).await
    }

    /// Starts one with these settings; the limit of bodies is that of the tests.
    pub async fn start_with(settings: ApiSettings) -> Self {
        let (database, queues) = (TestDatabase::create().await, TestQueues::new().await);
        let mut conn = database.pool().get().await.unwrap();
        let organisation = organisation::insert(&mut conn, "acme").await.unwrap();
        let user = user::insert(&mut conn, "admin@example.com").await.unwrap();
        organisation::set_member(&mut conn, organisation, user, Role::OrganisationAdmin).await.unwrap();
        let (_, personal) =
            ApiKey::insert(&mut conn, Owner::User(user), "mine", Role::OrganisationAdmin, None).await.unwrap();
        let instance = user::insert(&mut conn, "operator@example.com").await.unwrap();
        let operators = organisation::insert(&mut conn, "operators").await.unwrap();
        organisation::set_member(&mut conn, operators, instance, Role::InstanceAdmin).await.unwrap();
        let (_, instance_key) =
            ApiKey::insert(&mut conn, Owner::User(instance), "board", Role::InstanceAdmin, None).await.unwrap();
        let settings = ApiSettings { body_bytes_max: BODY_BYTES_MAX, ..settings };
        let app = App::new(database.pool(), queues.queues(), Arc::new(Checks::new()), settings, outbound());
        let mut api = Self {
            service: router::service(Arc::clone(&app)),
            board: board::service(app),
            queues,
            database,
            organisation,
            project: String::new(),
            key: String::new(),
            personal_key: personal.expose().to_string(),
            instance_key: instance_key.expose().to_string(),
        };
        (api.project, api.key) = api.new_project("orders").await;
        api
    }

    /// Makes a project, and returns its id and its key.
    pub async fn new_project(&self, name: &str) -> (String, String) {
        let mut conn = self.database.pool().get().await.unwrap();
        let new = NewProject {
            organisation_id: self.organisation,
            name: name.into(),
            kind: ProjectKind::Outgoing,
            logo_url: String::new(),
            config: ProjectConfig::default(),
        };
        let project = Project::insert(&mut conn, &new).await.unwrap();
        let (_, key) =
            ApiKey::insert(&mut conn, Owner::Project(project.id), "key", Role::ProjectAdmin, None).await.unwrap();
        (project.id.to_string(), key.expose().to_string())
    }

    /// Another instance over the same database and queues, with caches of its own.
    pub fn another(&self) -> Service {
        self.another_with(Checks::new())
    }

    /// Such an instance that is as ready as these checks say.
    pub fn another_with(&self, checks: Checks) -> Service {
        let settings = ApiSettings { body_bytes_max: BODY_BYTES_MAX, accounts: accounts(), ..ApiSettings::default() };
        let (pool, queues) = (self.database.pool(), self.queues.queues());
        router::service(App::new(pool, queues, Arc::new(checks), settings, outbound()))
    }

    /// Asks a dashboard route, with a token or a key or without.
    pub async fn ui(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        self.send(method, &format!("/ui/{path}"), token, &[], body.map(|body| body.to_string())).await
    }

    /// Makes an account with an organisation of its own.
    pub async fn sign_up(&self, name: &str) -> Person {
        let answer = self.ui("POST", "auth/register", None, Some(registration(name))).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let access = answer.data()["token"]["access_token"].as_str().unwrap().to_string();
        let refresh = answer.data()["token"]["refresh_token"].as_str().unwrap().to_string();
        let organisations = self.ui("GET", "organisations", Some(&access), None).await;
        let organisation = organisations.data()["content"][0]["uid"].as_str().unwrap().to_string();
        Person { uid: answer.uid(), access, refresh, organisation }
    }

    /// Makes somebody a member of the first organisation.
    pub async fn join(&self, name: &str, role: Role) -> Person {
        let person = self.sign_up(name).await;
        let mut conn = self.database.pool().get().await.unwrap();
        organisation::set_member(&mut conn, self.organisation, person.uid.parse().unwrap(), role).await.unwrap();
        person
    }

    /// The mails that wait to be sent to an address, the oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<SendEmail> {
        let page = self.queues.view(SendEmail::QUEUE).page(JobState::Ready, 0, 100).await.unwrap();
        let mut mails: Vec<(String, SendEmail)> =
            page.iter().map(|job| (job.id.clone(), serde_json::from_slice(&job.payload).unwrap())).collect();
        mails.retain(|(_, mail)| mail.to == address);
        mails.sort_by(|one, other| one.0.cmp(&other.0));
        mails.into_iter().map(|(_, mail)| mail).collect()
    }

    /// The token in the newest mail to an address, once there are `count`.
    pub async fn mailed_token(&self, address: &str, count: usize) -> String {
        until("a mail", async || self.mails_to(address).await.len() >= count).await;
        let mail = self.mails_to(address).await.pop().unwrap();
        let (_, token) = mail.body.split_once("https://console.example.com/").unwrap().1.split_once("?token=").unwrap();
        token.split_whitespace().next().unwrap().to_string()
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/projects/{}/{rest}", self.project)
    }

    pub async fn get(&self, rest: &str) -> Answer {
        self.send("GET", &self.path(rest), Some(&self.key), &[], None).await
    }

    pub async fn post(&self, rest: &str, body: Value) -> Answer {
        self.send("POST", &self.path(rest), Some(&self.key), &[], Some(body.to_string())).await
    }

    pub async fn put(&self, rest: &str, body: Value) -> Answer {
        self.send("PUT", &self.path(rest), Some(&self.key), &[], Some(body.to_string())).await
    }

    pub async fn delete(&self, rest: &str) -> Answer {
        self.send("DELETE", &self.path(rest), Some(&self.key), &[], None).await
    }

    pub async fn endpoint(&self, name: &str) -> String {
        let answer = self.post("endpoints", serde_json::json!({"name": name, "url": "https://example.com/hook"})).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.uid()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        self.send_bytes(method, path, key, headers, body.map(String::into_bytes)).await
    }

    pub async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = builder(method, &format!("http://127.0.0.1{path}"));
        if let Some(key) = key {
            request = request.add_header("authorization", format!("Bearer {key}"), true);
        }
        for (name, value) in headers {
            request = request.add_header(HeaderName::from_bytes(name.as_bytes()).unwrap(), *value, true);
        }
        if let Some(body) = body {
            let is_typed = headers.iter().any(|(name, _)| *name == "content-type");
            request = if is_typed { request } else { request.add_header("content-type", "application/json", true) };
            request = request.body(body);
        }
        answer(request.send(&self.service).await).await
    }

    /// Asks the board, with a password or without.
    pub async fn ask_board(&self, method: &str, path: &str, password: Option<&str>) -> Answer {
        let mut request = builder(method, &format!("http://127.0.0.1{path}"));
        if let Some(password) = password {
            let credential = STANDARD.encode(format!("anybody:{password}"));
            request = request.add_header("authorization", format!("Basic {credential}"), true);
        }
        answer(request.send(&self.board).await).await
    }

    /// Asks the board as a browser does, with these headers.
    pub async fn browse_board(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = builder(method, &format!("http://127.0.0.1{path}"));
        for (name, value) in headers {
            request = request.add_header(HeaderName::from_bytes(name.as_bytes()).unwrap(), *value, true);
        }
        answer(request.send(&self.board).await).await
    }

    /// The queues, for a second instance.
    pub fn queues(&self) -> posthouse_jobs::Queues {
        self.queues.queues()
    }

    /// The payloads that wait in the queue of new events.
    pub async fn queued_events(&self) -> Vec<CreateEvent> {
        self.queued().await
    }

    /// The payloads that wait in the queue of this job.
    pub async fn queued<J: Job>(&self) -> Vec<J> {
        let page = self.queues.view(J::QUEUE).page(JobState::Ready, 0, 100).await.unwrap();
        page.iter().map(|job| serde_json::from_slice(&job.payload).unwrap()).collect()
    }

    /// The payloads of all jobs that wait, whatever their queue.
    pub async fn queued_jobs(&self) -> Vec<String> {
        let mut jobs = Vec::new();
        for queue in posthouse_jobs::QUEUES {
            for state in [JobState::Ready, JobState::Delayed] {
                let page = self.queues.view(queue).page(state, 0, 1_000).await.unwrap();
                jobs.extend(page.iter().map(|job| String::from_utf8_lossy(&job.payload).into_owned()));
            }
        }
        jobs
    }

    /// Stores an event as a worker would, with one delivery in this state, and returns the ids of both.
    pub async fn stored(&self, endpoint: &str, key: &str, status: DeliveryStatus) -> (EventId, EventDeliveryId) {
        let event_id = EventId::generate();
        (event_id, self.stored_as(event_id, endpoint, key, status).await)
    }

    /// The same, for an event that has its id already.
    pub async fn stored_as(
        &self,
        event_id: EventId,
        endpoint: &str,
        key: &str,
        status: DeliveryStatus,
    ) -> EventDeliveryId {
        let (project_id, endpoint_id) = (self.project.parse().unwrap(), endpoint.parse().unwrap());
        let subscription_id = SubscriptionId::generate();
        let event = NewEvent {
            project_id,
            id: event_id,
            event_type: "order.paid".into(),
            target_kind: TargetKind::Single,
            target: endpoint.into(),
            source_id: None,
            headers: Headers([("X-A".to_string(), vec!["1".to_string()])].into()),
            payload: br#"{"a": 1}"#.to_vec(),
            idempotency_key: key.into(),
            is_duplicate: false,
            url_query_params: String::new(),
            url_path: String::new(),
            endpoint_ids: vec![Some(endpoint_id)],
            status: EventStatus::Success,
            failure_reason: None,
            acknowledged_at: event_id.created_at(),
        };
        let delivery = NewEventDelivery {
            project_id,
            id: EventDeliveryId::derive(event_id, subscription_id),
            event_id,
            endpoint_id,
            subscription_id,
            event_type: "order.paid".into(),
            status,
            delivery_mode: DeliveryMode::AtLeastOnce,
            strategy: RetryStrategy::Linear,
            retry_interval_seconds: 1,
            retry_limit: 2,
            next_send_time: event_id.created_at(),
            description: String::new(),
            acknowledged_at: event_id.created_at(),
            payload: None,
            ordering_key: None,
            retry_schedule: Vec::new(),
            give_up_at: None,
        };
        let id = delivery.id;
        let accepted = vec![AcceptedEvent::new(event, vec![delivery])];
        let mut conn = self.database.pool().get().await.unwrap();
        let stored = ledger::store_events(&mut conn, accepted, &[]).await.unwrap();
        assert!(matches!(stored, Stored::Done(_)));
        id
    }

    pub async fn close(self) {
        self.queues.close().await;
    }
}

/// Somebody with an account, signed in.
pub struct Person {
    pub uid: String,
    pub access: String,
    pub refresh: String,
    pub organisation: String,
}

/// What `name` signs up with; the password is `password of <name>`.
pub fn registration(name: &str) -> Value {
    serde_json::json!({
        "first_name": name, "last_name": "Example", "email": format!("{name}@example.com"),
        "password": format!("password of {name}"), "org_name": format!("{name}'s"),
    })
}

/// Asks an instance.
pub async fn ask(service: &Service, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
    let mut request = builder(method, &format!("http://127.0.0.1{path}"));
    if let Some(token) = token {
        request = request.add_header("authorization", format!("Bearer {token}"), true);
    }
    if let Some(body) = body {
        request = request.add_header("content-type", "application/json", true).body(body.to_string());
    }
    answer(request.send(service).await).await
}

/// Direct requests, to loopback too.
fn outbound() -> Outbound {
    // Another test of the process may have been first.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let rules = Rules::with_allowed(vec!["127.0.0.1/32".parse::<AddressRule>().unwrap()]);
    Outbound::new(Way::Direct(Arc::new(rules))).unwrap()
}

fn builder(method: &str, url: &str) -> RequestBuilder {
    match method {
        "GET" => TestClient::get(url),
        "POST" => TestClient::post(url),
        "PUT" => TestClient::put(url),
        "DELETE" => TestClient::delete(url),
        "HEAD" => TestClient::head(url),
        "OPTIONS" => TestClient::options(url),
        "PATCH" => TestClient::patch(url),
        other => panic!("{other}"),
    }
}

async fn answer(mut response: salvo::Response) -> Answer {
    let status = response.status_code.unwrap_or(StatusCode::OK).as_u16();
    let headers = response.headers().clone();
    let text = response.take_string().await.unwrap_or_default();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}
