//! Who receives an event: target, source and event type against the project's routes. Pure.

use std::collections::HashSet;

use posthouse_jobs::EventTarget;
use posthouse_schema::routing::Route;

/// Why an event goes nowhere, as the public API words it.
pub const NOBODY: &str = "no subscription matched this event";

/// The routes that the event takes, in the order in which the subscriptions were made. A broadcast reaches an endpoint
/// once, however many of its subscriptions match.
#[must_use]
pub fn matching<'a>(target: &EventTarget, event_type: &str, routes: &'a [Route]) -> Vec<&'a Route> {
    let mut reached = HashSet::new();
    // The event names its receiver by the URL; what the subscription is for otherwise does not matter.
    let is_dynamic = matches!(target, EventTarget::Dynamic { .. });
    routes
        .iter()
        .filter(|route| is_meant(target, route) && (is_dynamic || route.wants(event_type)))
        .filter(|route| *target != EventTarget::Broadcast || reached.insert(route.endpoint_id))
        .collect()
}

/// Whether an event for this target may take this route at all.
#[must_use]
pub fn is_meant(target: &EventTarget, route: &Route) -> bool {
    match target {
        EventTarget::Single { endpoint_id } => route.endpoint_id == *endpoint_id,
        EventTarget::Fanout { owner_id } => !owner_id.is_empty() && route.owner_id == *owner_id,
        EventTarget::Broadcast => true,
        EventTarget::Dynamic { subscription_id, .. } => route.subscription_id == *subscription_id,
        EventTarget::Source { source_id } => route.source_id == Some(*source_id),
    }
}

#[cfg(test)]
mod tests {
    use posthouse_schema::{
        ids::{EndpointId, SourceId, SubscriptionId},
        words::{DeliveryMode, EndpointStatus},
    };

    use super::*;

    fn route(endpoint_id: EndpointId, owner: &str, event_types: &[&str]) -> Route {
        Route {
            subscription_id: SubscriptionId::generate(),
            endpoint_id,
            source_id: None,
            event_types: event_types.iter().map(ToString::to_string).collect(),
            delivery_mode: DeliveryMode::AtLeastOnce,
            owner_id: owner.into(),
            endpoint_status: EndpointStatus::Active,
        }
    }

    #[test]
    fn a_single_event_takes_every_matching_subscription_of_its_endpoint() {
        let (one, two) = (EndpointId::generate(), EndpointId::generate());
        let routes = [
            route(one, "", &["*"]),
            route(one, "", &["invoice.paid"]),
            route(one, "", &["invoice"]),
            route(two, "", &["*"]),
        ];
        let target = EventTarget::Single { endpoint_id: one };
        assert_eq!(matching(&target, "invoice.paid", &routes), [&routes[0], &routes[1]]);
        assert_eq!(matching(&target, "Invoice.paid", &routes), [&routes[0]], "types are case-sensitive");
    }

    #[test]
    fn a_fanout_takes_the_owner_s_endpoints_and_never_those_without_owner() {
        let routes = [route(EndpointId::generate(), "acme", &["*"]), route(EndpointId::generate(), "", &["*"])];
        assert_eq!(matching(&EventTarget::Fanout { owner_id: "acme".into() }, "a", &routes), [&routes[0]]);
        assert_eq!(matching(&EventTarget::Fanout { owner_id: String::new() }, "a", &routes), Vec::<&Route>::new());
    }

    #[test]
    fn a_broadcast_reaches_an_endpoint_once() {
        let one = EndpointId::generate();
        let routes = [
            route(one, "", &["b"]),
            route(one, "", &["a"]),
            route(one, "", &["*"]),
            route(EndpointId::generate(), "", &["a"]),
        ];
        assert_eq!(matching(&EventTarget::Broadcast, "a", &routes), [&routes[1], &routes[3]]);
    }

    #[test]
    fn a_dynamic_event_takes_its_subscription_whatever_the_type() {
        let routes = [route(EndpointId::generate(), "", &["b"]), route(EndpointId::generate(), "", &["*"])];
        let target = EventTarget::Dynamic { url: String::new(), subscription_id: routes[0].subscription_id };
        assert_eq!(matching(&target, "a", &routes), [&routes[0]]);
    }

    #[test]
    fn a_source_s_event_takes_only_the_source_s_subscriptions() {
        let (source_id, other) = (SourceId::generate(), SourceId::generate());
        let mut routes = [
            route(EndpointId::generate(), "", &["*"]),
            route(EndpointId::generate(), "", &["*"]),
            route(EndpointId::generate(), "", &["*"]),
        ];
        routes[1].source_id = Some(source_id);
        routes[2].source_id = Some(other);
        assert_eq!(matching(&EventTarget::Source { source_id }, "a", &routes), [&routes[1]]);
    }
}
