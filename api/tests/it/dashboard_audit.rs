//! What is changed by a form leaves the line in the audit log that the same change by the API leaves.

use std::collections::{BTreeMap, BTreeSet};

use posthouse_api::{
    goals::{self, Goal},
    router,
};
use posthouse_schema::{
    audit_log::AuditEntry,
    words::{ActorKind, AuditedWay, DeliveryStatus, Role},
};
use salvo::http::Method;

use crate::{
    audit_log::all,
    dashboard::{Browser, FORM, HTML, ORIGIN, encoded, location, text},
    harness::{Answer, Api},
    walk::Tenant,
};

/// What a form leaves in the audit log.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// These lines, in this order.
    Lines(&'static [&'static str]),
    /// These lines, which [`assert_left`] finds at the end of this test.
    Elsewhere(&'static [&'static str], &'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

use Leaves::{Elsewhere, Lines, Nothing};

const SESSION: Leaves = Nothing("it begins or ends sessions, and changes nothing else");

// Tests that send forms.
pub const SOURCES: &str = "a source is made";
pub const EVENT_TYPES: &str = "event types are made";
pub const PORTAL_LINKS: &str = "a portal link is made";
pub const AUTHENTICATION: &str = "an endpoint authenticates";
pub const FILTERS: &str = "filters are made";
pub const REPLAYS: &str = "everything is replayed";
pub const SETTINGS: &str = "settings are changed";
pub const ORGANISATIONS: &str = "an organisation is ended";
pub const SCHEDULES: &str = "schedules are run";
pub const QUEUES: &str = "queues are looked after";
pub const PORTAL_ENDPOINTS: &str = "an endpoint is looked after in the portal";
pub const PORTAL_DELIVERIES: &str = "deliveries are sent again in the portal";
pub const PORTAL_RETRIES: &str = "what failed is retried in the portal";

/// Every form of the pages. One that is new has to say here what it leaves, and is sent by a test below.
const FORMS: &[(&str, Leaves)] = &[
    ("", Nothing("the way in")),
    ("sign-in", SESSION),
    ("sign-out", SESSION),
    ("sign-out-everywhere", SESSION),
    ("theme", Nothing("colours are a cookie")),
    ("sign-up", Lines(&["user.register"])),
    ("forgot-password", Nothing("it sends a mail, and changes nothing before its link is followed")),
    ("reset-password", Lines(&["user.reset_password"])),
    ("verify-email", Lines(&["user.verify_email"])),
    ("accept-invite", Lines(&["invite.answer"])),
    ("account/profile", Lines(&["user.update"])),
    ("account/password", Lines(&["user.change_password"])),
    ("account/keys", Lines(&["personal_key.create"])),
    ("account/keys/{key_id}/revoke", Lines(&["personal_key.revoke"])),
    ("organisations/{org_id}/rename", Lines(&["organisation.update"])),
    ("organisations/{org_id}/members/{member_id}", Lines(&["member.update"])),
    ("organisations/{org_id}/members/{member_id}/remove", Lines(&["member.remove"])),
    ("organisations/{org_id}/invites", Lines(&["invite.create"])),
    ("organisations/{org_id}/invites/{invite_id}/resend", Lines(&["invite.resend"])),
    ("organisations/{org_id}/invites/{invite_id}/cancel", Lines(&["invite.cancel"])),
    ("organisations/{org_id}/new-project", Lines(&["project.create"])),
    ("projects/{project_id}/events/{event_id}/replay", Lines(&["event.replay"])),
    ("projects/{project_id}/deliveries/resend", Lines(&["event_delivery.resend"])),
    ("projects/{project_id}/deliveries/retry", Lines(&["event_delivery.retry_many"])),
    ("projects/{project_id}/deliveries/{delivery_id}/resend", Lines(&["event_delivery.resend"])),
    ("projects/{project_id}/endpoints/new", Lines(&["endpoint.create"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/edit", Lines(&["endpoint.update"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/pause", Lines(&["endpoint.pause"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/activate", Lines(&["endpoint.activate"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/secrets", Lines(&["endpoint.reveal_secrets"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/roll-secret", Lines(&["endpoint.roll_secret"])),
    ("projects/{project_id}/endpoints/{endpoint_id}/delete", Lines(&["endpoint.delete"])),
    ("projects/{project_id}/subscriptions/new", Lines(&["subscription.create"])),
    ("projects/{project_id}/subscriptions/{subscription_id}", Lines(&["subscription.update"])),
    ("projects/{project_id}/subscriptions/{subscription_id}/delete", Lines(&["subscription.delete"])),
    ("projects/{project_id}/sources/{source_id}/delete", Lines(&["source.delete"])),
    ("projects/{project_id}/rejected/redrive", Lines(&["rejected_message.redrive_many"])),
    ("projects/{project_id}/rejected/{rejected_message_id}/redrive", Lines(&["rejected_message.redrive"])),
    ("projects/{project_id}/rejected/{rejected_message_id}/delete", Lines(&["rejected_message.delete"])),
    ("projects/{project_id}/batches/{batch_id}/cancel", Lines(&["batch.cancel"])),
    ("projects/{project_id}/meta-events/{meta_event_id}/resend", Lines(&["meta_event.resend"])),
    ("projects/{project_id}/settings", Lines(&["project.update"])),
    ("projects/{project_id}/settings/portal", Lines(&["project.update"])),
    ("projects/{project_id}/settings/regenerate-key", Lines(&["project.regenerate_key"])),
    ("projects/{project_id}/settings/delete", Lines(&["project.delete"])),
    ("projects/{project_id}/test-receiver/set-up", Lines(&["endpoint.create", "subscription.create"])),
    ("projects/{project_id}/test-receiver/send", Nothing("traffic: the event itself tells when it came")),
    ("test-receiver/{project_id}/{mark}", Nothing("traffic: what endpoints are sent")),
    ("projects/{project_id}/sources/new", Elsewhere(&["source.create"], SOURCES)),
    ("projects/{project_id}/sources/{source_id}/edit", Elsewhere(&["source.update"], SOURCES)),
    ("projects/{project_id}/sources/{source_id}/pause", Elsewhere(&["source.update"], SOURCES)),
    ("projects/{project_id}/sources/{source_id}/resume", Elsewhere(&["source.update"], SOURCES)),
    ("projects/{project_id}/sources/{source_id}/test", Nothing("it only tries")),
    ("projects/{project_id}/event-types/new", Elsewhere(&["event_type.create"], EVENT_TYPES)),
    ("projects/{project_id}/event-types/import", Elsewhere(&["event_type.import"], EVENT_TYPES)),
    ("projects/{project_id}/event-types/{event_type_id}", Elsewhere(&["event_type.update"], EVENT_TYPES)),
    ("projects/{project_id}/event-types/{event_type_id}/deprecate", Elsewhere(&["event_type.deprecate"], EVENT_TYPES)),
    ("projects/{project_id}/portal-links/new", Elsewhere(&["portal_link.create"], PORTAL_LINKS)),
    ("projects/{project_id}/portal-links/{portal_link_id}", Elsewhere(&["portal_link.update"], PORTAL_LINKS)),
    ("projects/{project_id}/portal-links/{portal_link_id}/url", Elsewhere(&["portal_link.reveal_url"], PORTAL_LINKS)),
    ("projects/{project_id}/portal-links/{portal_link_id}/revoke", Elsewhere(&["portal_link.revoke"], PORTAL_LINKS)),
    ("projects/{project_id}/endpoints/{endpoint_id}/authentication", Elsewhere(&["endpoint.update"], AUTHENTICATION)),
    ("projects/{project_id}/subscriptions/{subscription_id}/filters/new", Elsewhere(&["filter.create"], FILTERS)),
    (
        "projects/{project_id}/subscriptions/{subscription_id}/filters/{filter_id}",
        Elsewhere(&["filter.update"], FILTERS),
    ),
    (
        "projects/{project_id}/subscriptions/{subscription_id}/filters/{filter_id}/delete",
        Elsewhere(&["filter.delete"], FILTERS),
    ),
    ("projects/{project_id}/events/replay", Elsewhere(&["event.replay_many"], REPLAYS)),
    ("projects/{project_id}/settings/keys", Elsewhere(&["project_key.create"], SETTINGS)),
    ("projects/{project_id}/settings/keys/{key_id}/revoke", Elsewhere(&["project_key.revoke"], SETTINGS)),
    ("organisations/new", Elsewhere(&["organisation.create"], ORGANISATIONS)),
    ("organisations/{org_id}/delete", Elsewhere(&["organisation.delete"], ORGANISATIONS)),
    ("admin/schedules/{schedule}/run", Elsewhere(&["schedule.run"], SCHEDULES)),
    ("admin/schedules/{schedule}/pause", Elsewhere(&["schedule.pause"], SCHEDULES)),
    ("admin/schedules/{schedule}/resume", Elsewhere(&["schedule.resume"], SCHEDULES)),
    ("admin/queues/{queue}/pause", Elsewhere(&["queue.pause"], QUEUES)),
    ("admin/queues/{queue}/resume", Elsewhere(&["queue.resume"], QUEUES)),
    ("admin/queues/{queue}/redrive", Elsewhere(&["queue.redrive_many"], QUEUES)),
    ("admin/queues/{queue}/purge", Elsewhere(&["queue.purge"], QUEUES)),
    ("admin/queues/{queue}/{job}/redrive", Elsewhere(&["queue.redrive"], QUEUES)),
    ("admin/queues/{queue}/{job}/discard", Elsewhere(&["queue.discard"], QUEUES)),
    ("portal/{portal_link_id}/deliveries/resend", Elsewhere(&["event_delivery.resend"], PORTAL_DELIVERIES)),
    (
        "portal/{portal_link_id}/deliveries/{delivery_id}/resend",
        Elsewhere(&["event_delivery.resend"], PORTAL_DELIVERIES),
    ),
    ("portal/{portal_link_id}/deliveries/retry", Elsewhere(&["event_delivery.retry_many"], PORTAL_RETRIES)),
    ("portal/{portal_link_id}/events/{event_id}/replay", Elsewhere(&["event.replay"], PORTAL_RETRIES)),
    ("portal/{portal_link_id}/endpoints/new", Elsewhere(&["endpoint.create"], PORTAL_ENDPOINTS)),
    ("portal/{portal_link_id}/endpoints/{endpoint_id}/edit", Elsewhere(&["endpoint.update"], PORTAL_ENDPOINTS)),
    ("portal/{portal_link_id}/endpoints/{endpoint_id}/pause", Elsewhere(&["endpoint.pause"], PORTAL_ENDPOINTS)),
    ("portal/{portal_link_id}/endpoints/{endpoint_id}/activate", Elsewhere(&["endpoint.activate"], PORTAL_ENDPOINTS)),
    (
        "portal/{portal_link_id}/endpoints/{endpoint_id}/roll-secret",
        Elsewhere(&["endpoint.roll_secret"], PORTAL_ENDPOINTS),
    ),
    ("portal/{portal_link_id}/endpoints/{endpoint_id}/delete", Elsewhere(&["endpoint.delete"], PORTAL_ENDPOINTS)),
    (
        "portal/{portal_link_id}/endpoints/{endpoint_id}/secrets",
        Elsewhere(&["endpoint.reveal_secrets"], PORTAL_ENDPOINTS),
    ),
    ("portal/{portal_link_id}/endpoints/{endpoint_id}/test", Nothing("traffic: the event itself tells when it came")),
    (
        "portal/{portal_link_id}/endpoints/{endpoint_id}/events/new",
        Elsewhere(&["subscription.create"], PORTAL_ENDPOINTS),
    ),
    (
        "portal/{portal_link_id}/endpoints/{endpoint_id}/events/{subscription_id}",
        Elsewhere(&["subscription.update"], PORTAL_ENDPOINTS),
    ),
    (
        "portal/{portal_link_id}/endpoints/{endpoint_id}/events/{subscription_id}/delete",
        Elsewhere(&["subscription.delete"], PORTAL_ENDPOINTS),
    ),
];

fn leaves(route: &str) -> Leaves {
    FORMS.iter().find(|(known, _)| *known == route).unwrap_or_else(|| panic!("{route} is no form")).1
}

/// The forms of this test have each left their lines.
pub async fn assert_left(api: &Api, test: &str) {
    let left: BTreeSet<String> = all(api).await.into_iter().map(|line| line.action).collect();
    let of_test = FORMS.iter().filter(|(_, leaves)| matches!(leaves, Elsewhere(_, of) if *of == test));
    let expected: Vec<_> = of_test
        .filter_map(|(route, leaves)| match leaves {
            Elsewhere(lines, _) => Some((route, lines)),
            Lines(_) | Nothing(_) => None,
        })
        .collect();
    assert!(!expected.is_empty(), "{test} sends no form");
    for (route, lines) in expected {
        assert!(lines.iter().all(|line| left.contains(*line)), "{route} has not left {lines:?}: {left:?}");
    }
}

/// Every route that takes `POST`, and is none of a program's.
fn forms() -> BTreeSet<String> {
    let is_form = |goal: &Goal| {
        let root = goal.path.split('/').next().unwrap_or_default();
        let is_of_programs = ["api", "ui", "portal-api", "ingest", "docs", "health", "healthz"].contains(&root);
        let is_posted = goal.method.as_ref().is_none_or(|method| method == Method::POST);
        is_posted && !is_of_programs && !goal.path.contains("{**")
    };
    goals::of(&router::routes()).into_iter().filter(is_form).map(|goal| goal.path).collect()
}

#[test]
fn every_form_says_what_it_leaves() {
    let found = forms();
    let listed: BTreeSet<String> = FORMS.iter().map(|(route, _)| (*route).to_string()).collect();
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not in FORMS: {new:?}; in FORMS, and no form: {gone:?}");
}

/// Somebody who sends every form, and looks what each leaves.
struct Sender<'a> {
    api: &'a Api,
    browser: Browser<'a>,
    actor: String,
    /// What stands in the routes.
    names: BTreeMap<&'static str, String>,
    sent: BTreeSet<&'static str>,
}

impl Sender<'_> {
    fn path(&self, route: &str) -> String {
        let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => self.names.get(name).unwrap_or_else(|| panic!("{route}: no {name}")).clone(),
            None => part.to_string(),
        };
        format!("/{}", route.split('/').map(fill).collect::<Vec<_>>().join("/"))
    }

    fn name(&mut self, name: &'static str, id: impl Into<String>) {
        self.names.insert(name, id.into());
    }

    /// Sends it as the one who is signed in.
    async fn send(&mut self, route: &'static str, fields: &[(&str, &str)]) -> (Answer, Vec<AuditEntry>) {
        let (before, path) = (all(self.api).await.len(), self.path(route));
        let answer = self.browser.post(&path, fields).await;
        let lines = self.left(route, before, &answer).await;
        for line in &lines {
            let actor = line.actor_id.map(|id| id.to_string());
            assert_eq!((line.actor_kind, actor), (ActorKind::User, Some(self.actor.clone())), "{line:?}");
        }
        // What the route names last is what it is done to, if it names anything that is not the project.
        let named = route.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).next_back();
        let is_of_one =
            named.is_some_and(|name| !["project_id", "org_id"].contains(&name)) || route.contains("/settings");
        if let (Some(name), Some(line)) = (named.filter(|_| is_of_one), lines.first()) {
            assert_eq!(line.resource_id.map(|id| id.to_string()).as_ref(), self.names.get(name), "{line:?}");
        }
        if let (true, Some(line)) = (route.starts_with("projects/"), lines.first()) {
            assert_eq!(line.project_id.map(|id| id.to_string()).as_ref(), self.names.get("project_id"), "{line:?}");
        }
        (answer, lines)
    }

    /// Sends it as somebody who is not signed in.
    async fn send_as_nobody(&mut self, route: &'static str, fields: &[(&str, &str)]) {
        let before = all(self.api).await.len();
        let path = format!("/{route}");
        let answer = self.api.send("POST", &path, None, &[ORIGIN, FORM, HTML], Some(encoded(fields))).await;
        for line in self.left(route, before, &answer).await {
            assert_eq!((line.actor_kind, line.actor_id), (ActorKind::Nobody, None), "{line:?}");
        }
    }

    async fn left(&mut self, route: &'static str, before: usize, answer: &Answer) -> Vec<AuditEntry> {
        assert!(answer.status < 400, "{route}: {} {}", answer.status, answer.body);
        self.sent.insert(route);
        let lines = all(self.api).await.split_off(before);
        let actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
        match leaves(route) {
            Lines(expected) | Elsewhere(expected, _) => assert_eq!(actions, expected, "{route}: {}", answer.body),
            Nothing(why) => assert!(actions.is_empty(), "{route} leaves {actions:?}, although {why}"),
        }
        for line in &lines {
            assert!(line.is_confirmed && line.way == AuditedWay::Dashboard, "{line:?}");
        }
        lines
    }

    async fn endpoints_and_subscriptions(&mut self) {
        let url = [("name", "shop"), ("url", "https://example.com/a")];
        let (made, lines) = self.send("projects/{project_id}/endpoints/new", &url).await;
        let endpoint = location(&made).rsplit('/').next().unwrap().to_string();
        assert_eq!(lines[0].resource_id.unwrap().to_string(), endpoint);
        assert_eq!(lines[0].changes["name"]["after"], "shop");
        let fields = [("do", "save"), ("name", "all"), ("endpoint_id", endpoint.as_str())];
        self.name("endpoint_id", endpoint.clone());
        let changed = [("name", "store"), ("url", "https://example.com/b")];
        let (_, lines) = self.send("projects/{project_id}/endpoints/{endpoint_id}/edit", &changed).await;
        assert_eq!(lines[0].changes["name"], serde_json::json!({"before": "shop", "after": "store"}));
        self.send("projects/{project_id}/endpoints/{endpoint_id}/secrets", &[]).await;
        self.send("projects/{project_id}/endpoints/{endpoint_id}/roll-secret", &[("expiration", "3600")]).await;
        self.send("projects/{project_id}/endpoints/{endpoint_id}/pause", &[]).await;
        self.send("projects/{project_id}/endpoints/{endpoint_id}/activate", &[]).await;
        let (made, lines) = self.send("projects/{project_id}/subscriptions/new", &fields).await;
        let subscription = location(&made).rsplit('/').next().unwrap().to_string();
        assert_eq!(lines[0].resource_id.unwrap().to_string(), subscription);
        self.name("subscription_id", subscription);
        self.send("projects/{project_id}/subscriptions/{subscription_id}", &fields).await;
        self.send("projects/{project_id}/subscriptions/{subscription_id}/delete", &[]).await;
        self.send("projects/{project_id}/endpoints/{endpoint_id}/delete", &[]).await;
        self.send("projects/{project_id}/test-receiver/set-up", &[]).await;
        self.send("projects/{project_id}/test-receiver/send", &[]).await;
    }

    async fn what_is_sent_again(&mut self, of_tenant: &str) {
        self.send("projects/{project_id}/events/{event_id}/replay", &[]).await;
        self.send("projects/{project_id}/deliveries/{delivery_id}/resend", &[]).await;
        let (_, failed) = self.api.stored(of_tenant, "", DeliveryStatus::Failure).await;
        let failed = failed.to_string();
        self.send("projects/{project_id}/deliveries/resend", &[("ids", failed.as_str())]).await;
        self.api.stored(of_tenant, "", DeliveryStatus::Failure).await;
        self.send("projects/{project_id}/deliveries/retry", &[]).await;
        self.send("projects/{project_id}/batches/{batch_id}/cancel", &[]).await;
        self.send("projects/{project_id}/meta-events/{meta_event_id}/resend", &[]).await;
        self.send("projects/{project_id}/rejected/redrive", &[]).await;
        self.send("projects/{project_id}/rejected/{rejected_message_id}/redrive", &[]).await;
        self.send("projects/{project_id}/rejected/{rejected_message_id}/delete", &[]).await;
        self.send("projects/{project_id}/sources/{source_id}/delete", &[]).await;
    }

    async fn the_organisation(&mut self) {
        let viewer = self.api.join("carl", Role::ProjectViewer).await;
        self.name("member_id", viewer.uid);
        self.send("organisations/{org_id}/rename", &[("name", "Engines")]).await;
        self.send("organisations/{org_id}/members/{member_id}", &[("role", "billing_admin")]).await;
        self.send("organisations/{org_id}/members/{member_id}/remove", &[]).await;
        self.send("organisations/{org_id}/new-project", &[("name", "shop"), ("type", "outgoing")]).await;
        let invite = |email: &'static str| [("invitee_email", email), ("role", "project_viewer")];
        let (invited, _) = self.send("organisations/{org_id}/invites", &invite("bob@example.com")).await;
        let page = text(&invited);
        let token = page.split("/accept-invite?token=").nth(1).unwrap().split('<').next().unwrap();
        let bob = [("first_name", "Bob"), ("last_name", "B"), ("password", "password of bob")];
        let accepted = [&[("token", token), ("accepted", "true")][..], &bob[..]].concat();
        self.send_as_nobody("accept-invite", &accepted).await;
        let (invited, _) = self.send("organisations/{org_id}/invites", &invite("eve@example.com")).await;
        let page = text(&invited);
        self.name("invite_id", page.split("/invites/").nth(1).unwrap().split('/').next().unwrap());
        self.send("organisations/{org_id}/invites/{invite_id}/resend", &[]).await;
        self.send("organisations/{org_id}/invites/{invite_id}/cancel", &[]).await;
    }

    async fn the_door(&mut self) {
        let nora = [
            ("first_name", "Nora"),
            ("last_name", "N"),
            ("email", "nora@example.com"),
            ("password", "password of nora"),
            ("org_name", "Nora's"),
        ];
        self.send_as_nobody("sign-up", &nora).await;
        let token = self.api.mailed_token("nora@example.com", 1).await;
        self.send_as_nobody("verify-email", &[("token", &token)]).await;
        self.send_as_nobody("forgot-password", &[("email", "nora@example.com")]).await;
        let token = self.api.mailed_token("nora@example.com", 2).await;
        let password =
            [("token", token.as_str()), ("password", "another one"), ("password_confirmation", "another one")];
        self.send_as_nobody("reset-password", &password).await;
        self.send_as_nobody("theme", &[("theme", "dark")]).await;
    }

    /// Ends the session.
    async fn the_account(mut self) -> BTreeSet<&'static str> {
        let profile = [("first_name", "Augusta"), ("last_name", "King"), ("email", "ada@example.com")];
        let (_, lines) = self.send("account/profile", &profile).await;
        assert_eq!(lines[0].resource_id.unwrap().to_string(), self.actor);
        let (made, lines) = self.send("account/keys", &[("name", "ci"), ("expiration", "3")]).await;
        let key = text(&made).split("/account/keys/").nth(1).unwrap().split('/').next().unwrap().to_string();
        assert_eq!(lines[0].resource_id.unwrap().to_string(), key);
        self.name("key_id", key);
        self.send("account/keys/{key_id}/revoke", &[]).await;
        let password = [
            ("old_password", "password of ada"),
            ("password", "another password"),
            ("password_confirmation", "another password"),
        ];
        let (_, lines) = self.send("account/password", &password).await;
        assert_eq!(lines[0].resource_id.unwrap().to_string(), self.actor);
        assert!(!lines[0].changes.to_string().contains("password of"), "{lines:?}");
        self.sent
    }
}

#[tokio::test]
async fn every_changing_form_leaves_its_line() {
    let api = Api::start().await;
    let ada = api.join("ada", Role::OrganisationAdmin).await;
    let tenant = Tenant::make(&api, (&api.project, &api.key), "ada").await;
    let mut names: BTreeMap<&'static str, String> =
        ["source_id", "event_id", "delivery_id", "batch_id", "rejected_message_id", "meta_event_id"]
            .iter()
            .map(|name| (*name, tenant.id(name).to_string()))
            .collect();
    names.extend([("project_id", api.project.clone()), ("org_id", api.organisation.to_string())]);
    let browser = Browser::signed_in(&api, "ada").await;
    let mut sender = Sender { api: &api, browser, actor: ada.uid, names, sent: BTreeSet::new() };
    sender.endpoints_and_subscriptions().await;
    sender.what_is_sent_again(tenant.id("endpoint_id")).await;
    sender.the_organisation().await;
    sender.the_door().await;
    let settings = [
        ("name", "orders"),
        ("config.request_id_header", "X-Key"),
        ("config.signature.header", "X-Signed"),
        ("config.signature.standard_webhooks", "together"),
        ("config.retention_policy.policy", "240h"),
    ];
    sender.send("projects/{project_id}/settings", &settings).await;
    let (_, lines) = sender.send("projects/{project_id}/settings/portal", &[("config.portal.name", "Acme")]).await;
    assert_eq!(lines[0].changes["config.portal"]["after"]["name"], "Acme", "{lines:?}");
    sender.send("projects/{project_id}/settings/regenerate-key", &[]).await;
    sender.send("projects/{project_id}/settings/delete", &[]).await;
    let sent = sender.the_account().await;
    let unsent: Vec<&str> = FORMS
        .iter()
        .filter(|(route, leaves)| matches!(leaves, Lines(_)) && !sent.contains(route))
        .map(|(route, _)| *route)
        .collect();
    assert!(unsent.is_empty(), "the test sends no form to {unsent:?}");
    api.close().await;
}

#[tokio::test]
async fn a_line_tells_where_a_form_was_sent_from_and_a_refused_form_leaves_none() {
    let api = Api::start().await;
    api.join("ada", Role::ProjectAdmin).await;
    api.join("vera", Role::ProjectViewer).await;
    let endpoint = api.endpoint("receiver").await;
    let (ada, vera) = (Browser::signed_in(&api, "ada").await, Browser::signed_in(&api, "vera").await);
    let before = all(&api).await.len();
    let path = format!("/projects/{}/endpoints/{endpoint}", api.project);
    let headers = [("x-request-id", "r-1"), ("x-forwarded-for", "192.0.2.7"), ("user-agent", "browser/1")];
    assert_eq!(vera.post(&format!("{path}/pause"), &[]).await.status, 403);
    assert_eq!(ada.post(&format!("{path}/edit"), &[("name", "n"), ("url", "nonsense")]).await.status, 422);
    assert_eq!(ada.post_with(&format!("{path}/pause"), &headers, &[]).await.status, 303);
    let lines = all(&api).await.split_off(before);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (line.request_id.as_str(), line.source_address.as_str(), line.user_agent.as_str()),
        ("r-1", "192.0.2.7", "browser/1")
    );
    assert_eq!((line.action.as_str(), line.resource_id.map(|id| id.to_string())), ("endpoint.pause", Some(endpoint)));
    let listed = api.get("audit-log?action=endpoint.pause").await;
    assert_eq!(listed.data()["content"][0]["way"], "dashboard", "{}", listed.body);
    api.close().await;
}
