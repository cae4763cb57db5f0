//! Who receives an event: target, source, event type and filters against the project's routes. Without I/O.

use std::collections::HashSet;

use posthouse_filter::Requirement;
use posthouse_jobs::EventTarget;
use posthouse_schema::routing::Route;

use super::{
    filtering::{EventParts, Filters},
    routes::Routes,
};

/// Why an event goes nowhere, as the public API words it.
pub const NOBODY: &str = "no subscription matched this event";

/// A route whose filters are ready to be asked.
#[derive(Debug)]
pub struct PreparedRoute {
    /// The route.
    pub route: Route,
    /// Its subscription's filters; `None` where there are none.
    pub filters: Option<Filters>,
}

impl PreparedRoute {
    /// Compiles the filters of a route.
    #[must_use]
    pub fn new(route: Route) -> Self {
        let filters = Filters::of(&route);
        Self { route, filters }
    }

    /// What events of this type, where the subscription wants it, must have to be taken, each by itself; `None` where none
    /// is taken.
    #[must_use]
    pub fn requirements(&self, event_type: &str) -> Option<Vec<Requirement<'_>>> {
        self.filters.as_ref().map_or_else(|| Some(Vec::new()), |filters| filters.requirements(event_type))
    }

    /// Whether the subscription takes the event. A filter that fails takes none, and says so in the log.
    fn takes(&self, event: &EventParts<'_>) -> bool {
        let is_wanted = self.route.wants(&event.job().event_type);
        let Some(filters) = &self.filters else { return is_wanted };
        filters.let_through(is_wanted, event).unwrap_or_else(|error| {
            tracing::warn!(
                project.id = %event.job().project_id,
                subscription.id = %self.route.subscription_id,
                event.id = %event.job().event_id,
                error,
                "A filter failed; its subscription does not get the event."
            );
            false
        })
    }
}

/// Of the routes to its target those that the event takes, in the order in which the subscriptions were made. A broadcast
/// reaches an endpoint once, however many of its subscriptions match.
#[must_use]
pub fn matching<'a>(event: &EventParts<'_>, routes: &'a Routes) -> Vec<&'a Route> {
    let target = &event.job().target;
    let is_broadcast = *target == EventTarget::Broadcast;
    // The event names its receiver by the URL; what the subscription is for otherwise does not matter.
    let is_dynamic = matches!(target, EventTarget::Dynamic { .. });
    let mut reached = HashSet::new();
    let mut taken = Vec::new();
    for prepared in routes.candidates(event) {
        let route = &prepared.route;
        // Filters come last: they cost more than the rest.
        let is_reached = is_broadcast && reached.contains(&route.endpoint_id);
        if is_reached || !(is_dynamic || prepared.takes(event)) {
            continue;
        }
        if is_broadcast {
            reached.insert(route.endpoint_id);
        }
        taken.push(route);
    }
    taken
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
pub(super) mod tests {
    use std::sync::Arc;

    use posthouse_schema::{
        ids::{EndpointId, SourceId, SubscriptionId},
        words::{DeliveryMode, EndpointStatus},
    };
    use serde_json::json;

    use super::*;
    use crate::delivery::filtering::tests::event;

    pub(in crate::delivery) fn route(endpoint_id: EndpointId, owner: &str, event_types: &[&str]) -> Route {
        Route {
            subscription_id: SubscriptionId::generate(),
            endpoint_id,
            source_id: None,
            event_types: event_types.iter().map(ToString::to_string).collect(),
            filter: None,
            filters: Vec::new(),
            function: None,
            delivery_mode: DeliveryMode::AtLeastOnce,
            retry: None,
            owner_id: owner.into(),
            endpoint_status: EndpointStatus::Active,
        }
    }

    /// Which of the routes an event takes.
    fn matched(target: EventTarget, event_type: &str, routes: &[Route]) -> Vec<usize> {
        let mut job = event(event_type, r#"{"n":1}"#);
        job.target = target;
        let prepared: Vec<_> = routes.iter().cloned().map(|route| Arc::new(PreparedRoute::new(route))).collect();
        let prepared = Routes::to(&job.target, &prepared);
        let taken = matching(&EventParts::new(&job), &prepared);
        taken.iter().map(|route| routes.iter().position(|known| known == *route).unwrap()).collect()
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
        assert_eq!(matched(target.clone(), "invoice.paid", &routes), [0, 1]);
        assert_eq!(matched(target, "Invoice.paid", &routes), [0], "types are case-sensitive");
    }

    #[test]
    fn a_fanout_takes_the_owner_s_endpoints_and_never_those_without_owner() {
        let routes = [route(EndpointId::generate(), "acme", &["*"]), route(EndpointId::generate(), "", &["*"])];
        assert_eq!(matched(EventTarget::Fanout { owner_id: "acme".into() }, "a", &routes), [0]);
        assert_eq!(matched(EventTarget::Fanout { owner_id: String::new() }, "a", &routes), Vec::<usize>::new());
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
        assert_eq!(matched(EventTarget::Broadcast, "a", &routes), [1, 3]);
    }

    #[test]
    fn a_filter_keeps_an_event_from_its_own_subscription_alone() {
        let one = EndpointId::generate();
        let mut routes = [
            route(one, "", &["*"]),
            route(one, "", &["*"]),
            route(one, "", &["*"]),
            route(EndpointId::generate(), "", &["*"]),
        ];
        routes[0].filter = Some(json!({"body": {"n": 2}}));
        routes[1].filter = Some(json!({"body": {"n": {"$weird": 1}}}));
        assert_eq!(matched(EventTarget::Single { endpoint_id: one }, "a", &routes), [2]);
        assert_eq!(matched(EventTarget::Broadcast, "a", &routes), [2, 3], "what is filtered out reaches nobody");
    }

    #[test]
    fn a_dynamic_event_takes_its_subscription_whatever_the_type() {
        let routes = [route(EndpointId::generate(), "", &["b"]), route(EndpointId::generate(), "", &["*"])];
        let target = EventTarget::Dynamic { url: String::new(), subscription_id: routes[0].subscription_id };
        assert_eq!(matched(target, "a", &routes), [0]);
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
        assert_eq!(matched(EventTarget::Source { source_id }, "a", &routes), [1]);
    }
}
