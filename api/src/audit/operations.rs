//! What each changing route is called in the audit log, or why it is not in it. A route that is missing here is written under
//! its path, so that none escapes; a test walks the descriptions and finds those.

use posthouse_schema::words::AuditedKind as Kind;

/// What becomes of a route's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// A line of the audit log.
    Recorded {
        /// As it is called there.
        action: &'static str,
        /// What it is done to.
        kind: Kind,
        /// The part of the path that names it. Without one the answer may.
        named: Option<&'static str>,
    },
    /// None, for this reason.
    Exempt(&'static str),
}

const TRAFFIC: Treatment = Treatment::Exempt("traffic: the event itself tells when it came, and is searched elsewhere");
const DRY: Treatment = Treatment::Exempt("it only tries, and changes nothing");
const SESSION: Treatment = Treatment::Exempt("it begins, prolongs or ends a session, and changes nothing else");
const MAIL: Treatment = Treatment::Exempt("it sends a mail, and changes nothing before its link is followed");

const fn made(action: &'static str, kind: Kind) -> Treatment {
    Treatment::Recorded { action, kind, named: None }
}

const fn of(action: &'static str, kind: Kind, named: &'static str) -> Treatment {
    Treatment::Recorded { action, kind, named: Some(named) }
}

/// Routes of a project, by what follows its path.
const OF_PROJECTS: &[(&str, &str, Treatment)] = &[
    ("POST PUT", "", of("project.update", Kind::Project, "project_id")),
    ("DELETE", "", of("project.delete", Kind::Project, "project_id")),
    ("PUT", "security/keys/regenerate", of("project.regenerate_key", Kind::Project, "project_id")),
    ("POST", "security/keys", made("project_key.create", Kind::ApiKey)),
    ("PUT", "security/keys/{key_id}/revoke", of("project_key.revoke", Kind::ApiKey, "key_id")),
    ("POST", "onboard", made("project.onboard", Kind::Endpoint)),
    ("POST", "batches/{batch_id}/cancel", of("batch.cancel", Kind::Batch, "batch_id")),
    ("POST", "endpoints", made("endpoint.create", Kind::Endpoint)),
    ("POST", "endpoints/oauth2/test", DRY),
    ("PUT", "endpoints/{endpoint_id}", of("endpoint.update", Kind::Endpoint, "endpoint_id")),
    ("DELETE", "endpoints/{endpoint_id}", of("endpoint.delete", Kind::Endpoint, "endpoint_id")),
    ("POST", "endpoints/{endpoint_id}/activate", of("endpoint.activate", Kind::Endpoint, "endpoint_id")),
    ("PUT", "endpoints/{endpoint_id}/pause", of("endpoint.pause", Kind::Endpoint, "endpoint_id")),
    ("PUT", "endpoints/{endpoint_id}/expire_secret", of("endpoint.roll_secret", Kind::Endpoint, "endpoint_id")),
    ("POST", "event-types", made("event_type.create", Kind::EventType)),
    ("POST", "event-types/import", made("event_type.import", Kind::EventType)),
    ("PUT", "event-types/{event_type_id}", of("event_type.update", Kind::EventType, "event_type_id")),
    ("POST", "event-types/{event_type_id}/deprecate", of("event_type.deprecate", Kind::EventType, "event_type_id")),
    ("POST", "eventdeliveries/batchretry", made("event_delivery.retry_many", Kind::EventDelivery)),
    ("POST", "eventdeliveries/forceresend", made("event_delivery.resend_many", Kind::EventDelivery)),
    ("PUT", "eventdeliveries/{delivery_id}/resend", of("event_delivery.resend", Kind::EventDelivery, "delivery_id")),
    ("POST", "events", TRAFFIC),
    ("POST", "events/batch", TRAFFIC),
    ("POST", "events/broadcast", TRAFFIC),
    ("POST", "events/dynamic", TRAFFIC),
    ("POST", "events/fanout", TRAFFIC),
    ("POST", "events/batchreplay", made("event.replay_many", Kind::Event)),
    ("PUT", "events/{event_id}/replay", of("event.replay", Kind::Event, "event_id")),
    ("PUT", "meta-events/{meta_event_id}/resend", of("meta_event.resend", Kind::MetaEvent, "meta_event_id")),
    ("POST", "portal-links", made("portal_link.create", Kind::PortalLink)),
    ("PUT", "portal-links/{portal_link_id}", of("portal_link.update", Kind::PortalLink, "portal_link_id")),
    ("PUT", "portal-links/{portal_link_id}/revoke", of("portal_link.revoke", Kind::PortalLink, "portal_link_id")),
    ("DELETE", "rejected-messages", made("rejected_message.delete_many", Kind::RejectedMessage)),
    ("POST", "rejected-messages/redrive", made("rejected_message.redrive_many", Kind::RejectedMessage)),
    (
        "DELETE",
        "rejected-messages/{rejected_message_id}",
        of("rejected_message.delete", Kind::RejectedMessage, "rejected_message_id"),
    ),
    (
        "POST",
        "rejected-messages/{rejected_message_id}/redrive",
        of("rejected_message.redrive", Kind::RejectedMessage, "rejected_message_id"),
    ),
    ("POST", "sources", made("source.create", Kind::Source)),
    ("POST", "sources/test", DRY),
    ("POST", "sources/test_function", DRY),
    ("POST", "sources/{source_id}/test", DRY),
    ("POST PUT", "sources/{source_id}", of("source.update", Kind::Source, "source_id")),
    ("DELETE", "sources/{source_id}", of("source.delete", Kind::Source, "source_id")),
    ("POST", "subscriptions", made("subscription.create", Kind::Subscription)),
    ("POST", "subscriptions/test_filter", DRY),
    ("POST", "subscriptions/test_function", DRY),
    ("PUT", "subscriptions/{subscription_id}", of("subscription.update", Kind::Subscription, "subscription_id")),
    ("DELETE", "subscriptions/{subscription_id}", of("subscription.delete", Kind::Subscription, "subscription_id")),
    (
        "PUT",
        "subscriptions/{subscription_id}/toggle_status",
        of("subscription.toggle", Kind::Subscription, "subscription_id"),
    ),
    ("POST", "subscriptions/{subscription_id}/filters", made("filter.create", Kind::Filter)),
    ("POST", "subscriptions/{subscription_id}/filters/bulk", made("filter.create_many", Kind::Filter)),
    ("POST PUT", "subscriptions/{subscription_id}/filters/bulk_update", made("filter.update_many", Kind::Filter)),
    ("POST", "subscriptions/{subscription_id}/filters/test/{event_type}", DRY),
    ("PUT", "subscriptions/{subscription_id}/filters/{filter_id}", of("filter.update", Kind::Filter, "filter_id")),
    ("DELETE", "subscriptions/{subscription_id}/filters/{filter_id}", of("filter.delete", Kind::Filter, "filter_id")),
];

/// All others, by their whole path.
const APART: &[(&str, &str, Treatment)] = &[
    ("POST", "api/v1/projects", made("project.create", Kind::Project)),
    ("POST", "ui/organisations/{org_id}/projects", made("project.create", Kind::Project)),
    ("POST", "ui/organisations", made("organisation.create", Kind::Organisation)),
    ("PUT", "ui/organisations/{org_id}", of("organisation.update", Kind::Organisation, "org_id")),
    ("DELETE", "ui/organisations/{org_id}", of("organisation.delete", Kind::Organisation, "org_id")),
    ("POST", "ui/organisations/{org_id}/invites", made("invite.create", Kind::Invite)),
    ("POST", "ui/organisations/{org_id}/invites/{invite_id}/cancel", of("invite.cancel", Kind::Invite, "invite_id")),
    ("POST", "ui/organisations/{org_id}/invites/{invite_id}/resend", of("invite.resend", Kind::Invite, "invite_id")),
    ("POST", "ui/organisations/process_invite", made("invite.answer", Kind::Invite)),
    ("PUT", "ui/organisations/{org_id}/members/{member_id}", of("member.update", Kind::Member, "member_id")),
    ("DELETE", "ui/organisations/{org_id}/members/{member_id}", of("member.remove", Kind::Member, "member_id")),
    ("POST", "ui/admin/retry-event-deliveries", made("instance_retry.begin", Kind::InstanceRetry)),
    (
        "DELETE",
        "ui/admin/retry-event-deliveries/batch/{batch_id}",
        of("instance_retry.delete", Kind::InstanceRetry, "batch_id"),
    ),
    ("POST", "ui/admin/schedules/{schedule}/run", of("schedule.run", Kind::Schedule, "schedule")),
    ("PUT", "ui/admin/schedules/{schedule}/pause", of("schedule.pause", Kind::Schedule, "schedule")),
    ("PUT", "ui/admin/schedules/{schedule}/resume", of("schedule.resume", Kind::Schedule, "schedule")),
    ("PUT", "ui/admin/queues/{queue}/pause", of("queue.pause", Kind::Queue, "queue")),
    ("PUT", "ui/admin/queues/{queue}/resume", of("queue.resume", Kind::Queue, "queue")),
    ("DELETE", "ui/admin/queues/{queue}/dead-letters", of("queue.purge", Kind::Queue, "queue")),
    ("POST", "ui/admin/queues/{queue}/dead-letters/redrive", of("queue.redrive_many", Kind::Queue, "queue")),
    ("POST", "ui/admin/queues/{queue}/dead-letters/{job}/redrive", of("queue.redrive", Kind::Queue, "queue")),
    ("DELETE", "ui/admin/queues/{queue}/dead-letters/{job}", of("queue.discard", Kind::Queue, "queue")),
    ("POST", "ui/auth/login", SESSION),
    ("POST", "ui/auth/logout", SESSION),
    ("POST", "ui/auth/token/refresh", SESSION),
    ("POST", "ui/auth/register", made("user.register", Kind::User)),
    ("POST", "ui/users/forgot-password", MAIL),
    ("POST", "ui/users/resend_verification_email", MAIL),
    ("POST", "ui/users/reset-password", made("user.reset_password", Kind::User)),
    ("POST", "ui/users/verify_email", made("user.verify_email", Kind::User)),
    ("PUT", "ui/users/{user_id}/password", of("user.change_password", Kind::User, "user_id")),
    ("PUT", "ui/users/{user_id}/profile", of("user.update", Kind::User, "user_id")),
    ("POST", "ui/users/{user_id}/security/personal_api_keys", made("personal_key.create", Kind::ApiKey)),
    ("PUT", "ui/users/{user_id}/security/{key_id}/revoke", of("personal_key.revoke", Kind::ApiKey, "key_id")),
    ("POST", "ingest/{mask_id}", TRAFFIC),
];

const PROJECTS: [&str; 3] =
    ["api/v1/projects/{project_id}", "ui/organisations/{org_id}/projects/{project_id}", "portal-api"];

/// What becomes of requests by this method to this route, which is written as in the router. `None`: it is not listed.
pub fn treatment(method: &str, route: &str) -> Option<Treatment> {
    let route = route.trim_matches('/');
    let below = PROJECTS.iter().find_map(|project| route.strip_prefix(project));
    let (list, path) = match below {
        Some(rest) => (OF_PROJECTS, rest.trim_start_matches('/')),
        None => (APART, route),
    };
    let listed = list.iter().find(|(methods, known, _)| *known == path && methods.split(' ').any(|one| one == method));
    listed.map(|(_, _, treatment)| *treatment)
}

/// What everything is called that is recorded of a project or of an organisation, each once.
pub fn actions() -> Vec<&'static str> {
    let mut actions: Vec<&str> = OF_PROJECTS
        .iter()
        .chain(APART)
        .filter_map(|(_, _, treatment)| match treatment {
            Treatment::Recorded { action, .. } => Some(*action),
            Treatment::Exempt(_) => None,
        })
        .chain(super::reveal::Reveal::ACTIONS)
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{router, ui};

    /// A new route has to say here what it is, or why it is not recorded; one that is gone has to leave.
    #[test]
    fn every_changing_route_of_the_descriptions_is_listed_and_no_other() {
        let mut listed: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        for (methods, path, _) in OF_PROJECTS.iter().chain(APART) {
            for method in methods.split(' ') {
                assert!(listed.insert((method, path), false).is_none(), "{method} {path} is listed twice");
            }
        }
        for described in [router::openapi(), router::portal_openapi(), ui::openapi()] {
            let json = serde_json::to_value(described).unwrap();
            for (path, operations) in json["paths"].as_object().unwrap() {
                for method in ["POST", "PUT", "PATCH", "DELETE"] {
                    if operations.get(method.to_lowercase()).is_some() {
                        assert!(treatment(method, path).is_some(), "{method} {path} is not listed");
                        let path = path.trim_matches('/');
                        let rest = PROJECTS.iter().find_map(|project| path.strip_prefix(project));
                        let path = rest.map_or(path, |rest| rest.trim_start_matches('/'));
                        for (known, is_found) in &mut listed {
                            *is_found |= *known == (method, path);
                        }
                    }
                }
            }
        }
        // The mirror of the collection of projects is described by the API's own document.
        let gone: Vec<_> = listed.into_iter().filter(|(route, is_found)| !is_found && route.1 != APART[1].1).collect();
        assert!(gone.is_empty(), "no description has {gone:?}");
    }
}
