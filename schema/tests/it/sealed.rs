//! Secrets at rest: what is in the tables, and what rotation makes of it.

use std::collections::BTreeMap;

use diesel::{QueryableByName, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use posthouse_schema::{
    delivery_target::{self, DeliveryTarget},
    endpoint::{self, Endpoint, EndpointValues},
    ids::ProjectId,
    instance_secret,
    portal_link::{PortalLink, PortalLinkValues},
    project::{NewProject, Project},
    project_config::ProjectConfig,
    sealed::{self, Keys, Progress, Rotation, Sealed, SealedColumn, Unopened},
    source::{Source, SourceValues},
    source_feed,
    text_array::TextArray,
    words::{PortalAuthType, ProjectKind, SourceKind},
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, fixture, run};

const FIRST: &str = "first:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "second:HxscHRoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAB4=";
const STRANGE: &str = "strange:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Every test of the process that comes after this seals as well, and notices nothing of it.
fn give_keys() {
    sealed::install(keys(&[FIRST, SECOND]));
    assert_eq!(sealed::keys().current(), Some("first"));
}

fn keys(keys: &[&str]) -> Keys {
    Keys::parse(&keys.join("\n")).unwrap()
}

fn endpoint_values(mark: &str) -> EndpointValues {
    EndpointValues {
        name: "secretive".into(),
        url: "https://example.com/hooks".into(),
        description: String::new(),
        owner_id: "owner".into(),
        advanced_signatures: true,
        content_type: "application/json".into(),
        http_timeout_seconds: 0,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        authentication: Some(json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": mark}})),
        mtls_client_cert: Some(json!({"client_cert": "cert", "client_key": mark})),
        ordering: None,
        follow_redirects: false,
        support_email: String::new(),
        slack_webhook_url: format!("https://slack.example/{mark}"),
        teams_webhook_url: format!("https://teams.example/{mark}"),
    }
}

fn source_values(mark: &str) -> SourceValues {
    SourceValues {
        name: "secretive".into(),
        kind: SourceKind::PubSub,
        provider: String::new(),
        is_disabled: false,
        verifier: Some(json!({"type": "api_key", "api_key": {"header_name": "x", "header_value": mark}})),
        custom_response: None,
        forward_headers: TextArray::default(),
        pub_sub: Some(json!({"type": "mqtt", "mqtt": {"auth": {"password": mark}}})),
        idempotency_keys: TextArray::default(),
        event_type_location: String::new(),
        body_function: None,
        header_function: None,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        stale_after_seconds: None,
    }
}

/// Everything that can hold a secret, with this mark in each that is chosen, and the others as they come.
struct Secretive {
    project: Project,
    endpoint: Endpoint,
    source: Source,
    link: PortalLink,
    instance: Vec<u8>,
}

async fn secretive(fixture: &mut Fixture, mark: &str) -> Secretive {
    let conn = &mut fixture.conn;
    let old = Project::find(conn, fixture.project).await.unwrap().unwrap();
    let mut config = ProjectConfig::default();
    config.meta_event.secret = mark.into();
    config.notifications.slack_webhook_url = format!("https://slack.example/project/{mark}").into();
    config.notifications.teams_webhook_url = format!("https://teams.example/project/{mark}").into();
    let new = NewProject {
        organisation_id: old.organisation_id,
        name: "secretive".into(),
        kind: ProjectKind::Outgoing,
        logo_url: String::new(),
        config,
    };
    let project = Project::insert(conn, &new).await.unwrap();
    let endpoint = Endpoint::insert(conn, project.id, &endpoint_values(mark), mark).await.unwrap();
    let source = Source::insert(conn, project.id, "sixteencharacter", &source_values(mark)).await.unwrap();
    let link = PortalLinkValues {
        name: "secretive".into(),
        owner_id: "owner".into(),
        endpoint_ids: Vec::new(),
        can_manage_endpoint: false,
        auth_type: PortalAuthType::StaticToken,
    };
    let link = PortalLink::insert(conn, project.id, &link).await.unwrap();
    let instance = instance_secret::get_or_make(conn, "access_token").await.unwrap();
    Secretive { project, endpoint, source, link, instance }
}

#[derive(QueryableByName)]
struct Dump {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Every row of every table, as text; bytes are in hexadecimal.
async fn dump(conn: &mut AsyncPgConnection) -> String {
    let tables = "SELECT relname AS text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let tables: Vec<Dump> = diesel::sql_query(tables).load(conn).await.unwrap();
    assert!(tables.len() > 20);
    let mut all = String::new();
    for table in tables {
        let rows = format!("SELECT coalesce(string_agg(t::text, ' '), '') AS text FROM {} t", table.text);
        all.push_str(&diesel::sql_query(rows).get_result::<Dump>(conn).await.unwrap().text);
    }
    all
}

async fn target(conn: &mut AsyncPgConnection, row: &Endpoint) -> DeliveryTarget {
    delivery_target::load_targets(conn, &[(row.project_id, row.id)]).await.unwrap().remove(0)
}

/// That all of it is read as it was written.
async fn assert_readable(conn: &mut AsyncPgConnection, of: &Secretive, mark: &str) {
    let project = Project::find(conn, of.project.id).await.unwrap().unwrap();
    assert_eq!(project.config.meta_event.secret.plain(), Ok(mark));
    let told = &project.config.notifications;
    assert_eq!(told.slack_webhook_url.plain(), Ok(format!("https://slack.example/project/{mark}").as_str()));
    assert_eq!(told.teams_webhook_url.plain(), Ok(format!("https://teams.example/project/{mark}").as_str()));
    let row = Endpoint::find(conn, project.id, of.endpoint.id).await.unwrap().unwrap();
    let values = endpoint_values(mark);
    assert_eq!(row.authentication(), Ok(values.authentication.clone()));
    assert_eq!(row.mtls_client_cert(), Ok(values.mtls_client_cert.clone()));
    assert_eq!(row.slack_webhook_url(), Ok(values.slack_webhook_url));
    assert_eq!(row.teams_webhook_url(), Ok(values.teams_webhook_url));
    let secrets = endpoint::secrets_of(conn, project.id, &[row.id]).await.unwrap();
    let [secret] = secrets.as_slice() else { panic!("one secret") };
    assert_eq!(secret.value(), Ok(mark.into()));
    let target = target(conn, &row).await;
    assert_eq!((target.secrets, target.locked), (vec![mark.to_owned()], None));
    assert_eq!((target.authentication, target.mtls_client_cert), (values.authentication, values.mtls_client_cert));
    let source = Source::find(conn, project.id, of.source.id).await.unwrap().unwrap();
    let values = source_values(mark);
    assert_eq!((source.verifier(), source.pub_sub()), (Ok(values.verifier), Ok(values.pub_sub.clone())));
    let feed = source_feed::find_broker_sources_all_projects(conn, &[source.id]).await.unwrap();
    let [feed] = feed.as_slice() else { panic!("one source") };
    assert_eq!((&feed.pub_sub, &feed.locked), (&values.pub_sub, &None));
    let token = of.link.token().unwrap();
    let link = PortalLink::find_by_token_in_all_projects(conn, &token).await.unwrap().unwrap();
    assert_eq!((link.token(), link.has_token(&token), link.has_token("other")), (Ok(token), true, false));
    assert_eq!(instance_secret::get_or_make(conn, "access_token").await.unwrap(), of.instance);
}

async fn survey(conn: &mut AsyncPgConnection) -> BTreeMap<Option<String>, u64> {
    let mut sums = BTreeMap::new();
    for count in sealed::survey(conn).await.unwrap() {
        *sums.entry(count.key).or_default() += count.secrets;
    }
    sums
}

async fn rotate(conn: &mut AsyncPgConnection, keys: &Keys, batch: u32) -> Progress {
    let mut rotation = Rotation::new(keys, batch);
    while rotation.step(conn).await.unwrap() {}
    rotation.progress
}

#[tokio::test]
async fn no_secret_is_in_any_column_and_all_are_read() {
    give_keys();
    let mut fixture = fixture().await;
    let mark = "hunter2-of-the-tables";
    let of = secretive(&mut fixture, mark).await;
    let all = dump(&mut fixture.conn).await;
    assert!(all.contains("secretive") && all.contains("sealed:v1:first:"));
    for secret in [mark.to_owned(), hex::encode(mark), of.link.token().unwrap(), hex::encode(&of.instance)] {
        assert!(!all.contains(&secret), "{secret}");
    }
    assert_readable(&mut fixture.conn, &of, mark).await;
    assert_eq!(survey(&mut fixture.conn).await, [(Some("first".into()), SealedColumn::ALL.len() as u64)].into());
    // What is changed is sealed anew, and what is not stays.
    let changed = endpoint_values("hunter3-of-the-tables");
    let row = Endpoint::update(&mut fixture.conn, of.project.id, of.endpoint.id, &changed).await.unwrap().unwrap();
    assert_eq!(row.slack_webhook_url(), Ok(changed.slack_webhook_url));
    assert!(!dump(&mut fixture.conn).await.contains("hunter3"));
}

#[tokio::test]
async fn rotation_seals_what_was_clear_then_by_another_key_and_goes_back() {
    give_keys();
    let mut fixture = fixture().await;
    let mark = "hunter2-that-turns";
    let of = secretive(&mut fixture, mark).await;
    let all = SealedColumn::ALL.len() as u64;
    let mut before = None;
    for (to, key) in [
        (keys(&["none", FIRST, SECOND]), None),
        (keys(&[SECOND, FIRST]), Some("second")),
        (keys(&[FIRST, SECOND]), Some("first")),
    ] {
        let done = rotate(&mut fixture.conn, &to, 1).await;
        assert_eq!(done, Progress { sealed: all, ..Progress::default() }, "{key:?}");
        assert_eq!(survey(&mut fixture.conn).await, [(key.map(Into::into), all)].into());
        let text = dump(&mut fixture.conn).await;
        assert_eq!(text.contains(mark), key.is_none());
        assert_ne!(before.replace(text.clone()), Some(text));
        assert_readable(&mut fixture.conn, &of, mark).await;
        assert_eq!(rotate(&mut fixture.conn, &to, 100).await, Progress::default(), "there is nothing left to do");
    }
    let row = Endpoint::find(&mut fixture.conn, of.project.id, of.endpoint.id).await.unwrap().unwrap();
    assert_eq!(row.updated_at, of.endpoint.updated_at, "nobody has changed it");
}

async fn store(conn: &mut AsyncPgConnection, of: &Secretive, column: &str, value: &Value) {
    let (project, id) = (of.project.id.to_bits(), of.endpoint.id.to_bits());
    let statement =
        format!("UPDATE endpoints SET {column} = '{value}' WHERE project_id = '{project:032x}' AND id = '{id:032x}'");
    assert_eq!(run(conn, &statement).await, 1);
}

#[tokio::test]
async fn an_unknown_key_locks_its_rows_alone_and_is_named() {
    give_keys();
    let mut fixture = fixture().await;
    let of = secretive(&mut fixture, "hunter2-behind-a-lock").await;
    let other = Endpoint::insert(&mut fixture.conn, of.project.id, &endpoint_values("other"), "other").await.unwrap();
    let strange = rotate(&mut fixture.conn, &keys(&[STRANGE, FIRST]), 100).await;
    assert_eq!(strange.sealed, SealedColumn::ALL.len() as u64 + 5);
    let back = Endpoint::update(&mut fixture.conn, of.project.id, other.id, &endpoint_values("other")).await;
    assert!(back.unwrap().is_some());
    endpoint::roll_secret(&mut fixture.conn, (of.project.id, other.id), "new", chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap();
    let wanted = [(of.project.id, of.endpoint.id), (of.project.id, other.id)];
    let targets = delivery_target::load_targets(&mut fixture.conn, &wanted).await.unwrap();
    let locked = |row: &Endpoint| targets.iter().find(|target| target.id == row.id).unwrap().locked.clone();
    let why = Unopened::UnknownKey("strange".into());
    assert_eq!((locked(&of.endpoint), locked(&other)), (Some(why.clone()), None));
    assert!(why.to_string().contains("strange"));
    let project = Project::find(&mut fixture.conn, of.project.id).await.unwrap().unwrap();
    assert_eq!(project.config.meta_event.secret.plain(), Err(why.clone()));
    assert_eq!(project.config.notifications.slack_webhook_url.plain(), Err(why.clone()));
    // Somebody changes the project's name, and the secrets that cannot be read stay.
    let renamed = Project { name: "renamed".into(), ..project };
    Project::update(&mut fixture.conn, &renamed).await.unwrap().unwrap();
    let feed = source_feed::find_broker_sources_all_projects(&mut fixture.conn, &[of.source.id]).await.unwrap();
    assert_eq!((&feed[0].pub_sub, &feed[0].locked), (&None, &Some(why.clone())));
    assert!(instance_secret::get_or_make(&mut fixture.conn, "access_token").await.is_err());
    let given = rotate(&mut fixture.conn, &keys(&[FIRST]), 3).await;
    assert_eq!((given.sealed, given.unreadable), (0, [(why.to_string(), SealedColumn::ALL.len() as u64 + 1)].into()));
    // The key turns up again.
    let found = rotate(&mut fixture.conn, &keys(&[FIRST, STRANGE]), 3).await;
    assert_eq!((found.sealed, found.unreadable.len()), (SealedColumn::ALL.len() as u64 + 1, 0));
    let project = Project::find(&mut fixture.conn, of.project.id).await.unwrap().unwrap();
    assert_eq!(
        (project.name.as_str(), project.config.meta_event.secret.plain()),
        ("renamed", Ok("hunter2-behind-a-lock"))
    );
    let url = project.config.notifications.slack_webhook_url.plain();
    assert_eq!(url, Ok("https://slack.example/project/hunter2-behind-a-lock"));
}

async fn config_text(conn: &mut AsyncPgConnection, project: ProjectId) -> String {
    let statement = format!("SELECT config::text AS text FROM projects WHERE id = '{:032x}'", project.to_bits());
    diesel::sql_query(statement).get_result::<Dump>(conn).await.unwrap().text
}

#[tokio::test]
async fn what_nobody_changed_among_a_project_s_settings_stays_as_it_is_stored() {
    give_keys();
    let mut fixture = fixture().await;
    let of = secretive(&mut fixture, "hunter2-that-stays").await;
    let before = config_text(&mut fixture.conn, of.project.id).await;
    let read = Project::find(&mut fixture.conn, of.project.id).await.unwrap().unwrap();
    Project::update(&mut fixture.conn, &Project { name: "renamed".into(), ..read }).await.unwrap().unwrap();
    assert_eq!(config_text(&mut fixture.conn, of.project.id).await, before);
    // Within one document too a value opens only where it was put.
    let moved = format!(
        "UPDATE projects SET config = jsonb_set(config, '{{notifications,teams_webhook_url}}', config #> \
         '{{notifications,slack_webhook_url}}') WHERE id = '{:032x}'",
        of.project.id.to_bits()
    );
    assert_eq!(run(&mut fixture.conn, &moved).await, 1);
    let read = Project::find(&mut fixture.conn, of.project.id).await.unwrap().unwrap();
    assert_eq!(read.config.notifications.teams_webhook_url.plain(), Err(Unopened::Forged("first".into())));
    assert!(read.config.notifications.slack_webhook_url.plain().is_ok());
}

#[tokio::test]
async fn a_value_that_was_moved_or_is_none_does_not_open_and_breaks_nothing() {
    give_keys();
    let mut fixture = fixture().await;
    let of = secretive(&mut fixture, "hunter2-on-the-move").await;
    let other = Endpoint::insert(&mut fixture.conn, of.project.id, &endpoint_values("other"), "other").await.unwrap();
    let moved = format!(
        "UPDATE endpoints t SET authentication = s.authentication FROM endpoints s WHERE s.id = '{:032x}' AND t.id = '{:032x}'",
        other.id.to_bits(),
        of.endpoint.id.to_bits()
    );
    assert_eq!(run(&mut fixture.conn, &moved).await, 1);
    let row = Endpoint::find(&mut fixture.conn, of.project.id, of.endpoint.id).await.unwrap().unwrap();
    assert_eq!(row.authentication(), Err(Unopened::Forged("first".into())));
    assert_eq!(target(&mut fixture.conn, &row).await.locked, Some(Unopened::Forged("first".into())));
    store(&mut fixture.conn, &of, "authentication", &json!("sealed:v1:first")).await;
    let row = Endpoint::find(&mut fixture.conn, of.project.id, of.endpoint.id).await.unwrap().unwrap();
    assert_eq!(row.authentication(), Err(Unopened::Damaged));
    // As it was stored by older versions, before there was a key.
    let plain = json!({"type": "api_key", "api_key": {"header_name": "x", "header_value": "plain"}});
    store(&mut fixture.conn, &of, "authentication", &plain).await;
    let row = Endpoint::find(&mut fixture.conn, of.project.id, of.endpoint.id).await.unwrap().unwrap();
    assert_eq!(row.authentication(), Ok(Some(plain)));
}

#[tokio::test]
async fn what_changes_while_it_is_sealed_is_not_overwritten() {
    give_keys();
    let mut fixture = fixture().await;
    let (project, to) = (fixture.project, keys(&[SECOND, FIRST]));
    let mut ids = Vec::new();
    for number in 0..20 {
        let values = endpoint_values(&format!("before-{number}"));
        ids.push(Endpoint::insert(&mut fixture.conn, project, &values, "s").await.unwrap().id);
    }
    let pool = fixture.database.pool();
    let changing = async {
        for id in &ids {
            let conn = &mut pool.get().await.unwrap();
            Endpoint::update(conn, project, *id, &endpoint_values("after")).await.unwrap();
        }
    };
    let rotating = async {
        let conn = &mut pool.get().await.unwrap();
        for _ in 0..5 {
            rotate(conn, &to, 3).await;
        }
    };
    tokio::join!(changing, rotating);
    assert_all_after(&mut fixture.conn, project, &ids).await;
    assert_eq!(rotate(&mut fixture.conn, &to, 100).await.missed, 0);
    assert_eq!(survey(&mut fixture.conn).await.into_keys().collect::<Vec<_>>(), [Some("second".to_owned())]);
    assert_all_after(&mut fixture.conn, project, &ids).await;
}

async fn assert_all_after(conn: &mut AsyncPgConnection, project: ProjectId, ids: &[posthouse_schema::ids::EndpointId]) {
    for row in Endpoint::find_many(conn, project, ids).await.unwrap() {
        assert_eq!(row.slack_webhook_url(), Ok("https://slack.example/after".into()));
    }
}

#[test]
fn a_secret_does_not_print() {
    let keys = keys(&[FIRST]);
    let sealed = Sealed::seal_by(&keys, &"hunter2".to_owned(), &sealed::Place::named("a.b", "c"));
    assert_eq!(format!("{sealed:?} {keys:?}"), "*** Keys { current: Some(\"first\"), ids: [\"first\"] }");
}
