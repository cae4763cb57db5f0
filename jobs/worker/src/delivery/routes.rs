//! The routes to one target, and which of them an event may take: by its type, and by what their filters require. Filters
//! of the others are not asked, which changes nothing but the work.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use posthouse_filter::Index;
use posthouse_jobs::EventTarget;
use posthouse_schema::filter::EVERY_TYPE;

use super::{
    filtering::EventParts,
    matching::{PreparedRoute, is_meant},
};

/// Up to so many routes are all asked, which is cheaper than to look in an index.
const ASKED_MAX: usize = 15;
/// Types that are looked at, counted for each route. Where there are more, what filters require of them is not.
const MENTIONS_MAX: usize = 100_000;
/// Bytes of what filters require.
const REQUIRED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// The routes to one target, in the order in which the subscriptions were made.
#[derive(Debug)]
pub struct Routes {
    all: Vec<Arc<PreparedRoute>>,
    by_type: Option<ByType>,
}

/// Places of routes by what they require.
#[derive(Debug)]
struct ByType {
    /// For each type those that name it, or have an enabled filter for it.
    named: HashMap<String, Index>,
    /// Those that want every type.
    every: Index,
}

impl Routes {
    /// Those of the routes that lead to the target.
    #[must_use]
    pub fn to<'r>(target: &EventTarget, routes: impl IntoIterator<Item = &'r Arc<PreparedRoute>>) -> Self {
        let is_meant = |prepared: &&Arc<PreparedRoute>| is_meant(target, &prepared.route);
        let all: Vec<_> = routes.into_iter().filter(is_meant).cloned().collect();
        // The event names its receiver; the subscription's types and filters do not matter.
        let is_indexed = all.len() > ASKED_MAX && !matches!(target, EventTarget::Dynamic { .. });
        let by_type = is_indexed.then(|| ByType::of(&all));
        Self { all, by_type }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those that the event may take, in the same order.
    pub fn candidates(&self, event: &EventParts<'_>) -> Vec<&PreparedRoute> {
        // What stands for every type can be the type of an event too, and then it has filters of its own.
        let by_type = self.by_type.as_ref().filter(|_| event.job().event_type != EVERY_TYPE);
        match by_type {
            Some(by_type) => {
                by_type.candidates(event).into_iter().filter_map(|at| Some(&**self.all.get(at)?)).collect()
            }
            None => self.all.iter().map(|prepared| &**prepared).collect(),
        }
    }
}

impl ByType {
    fn of(routes: &[Arc<PreparedRoute>]) -> Self {
        let (mut named, mut every): (HashMap<&str, Vec<usize>>, _) = (HashMap::new(), Vec::new());
        let mut mentions = 0;
        for (at, prepared) in routes.iter().enumerate() {
            let wants_every = prepared.route.wants(EVERY_TYPE);
            if wants_every {
                every.push(at);
            }
            let of_filters = prepared.filters.iter().flat_map(|filters| filters.enabled_types());
            let of_route = prepared.route.event_types.iter().filter(|_| !wants_every).map(String::as_str);
            let types: BTreeSet<&str> = of_filters.chain(of_route).collect();
            mentions += types.len();
            for event_type in types {
                named.entry(event_type).or_default().push(at);
            }
        }
        let mut bytes_left = REQUIRED_BYTES_MAX;
        let mut index = |event_type: &str, places: Vec<usize>| {
            let is_known = event_type == EVERY_TYPE || mentions <= MENTIONS_MAX;
            let required = |at: usize| {
                let requirements = if is_known { routes.get(at)?.requirements(event_type)? } else { Vec::new() };
                Some((at, requirements))
            };
            let index = Index::new(&places.into_iter().filter_map(required).collect::<Vec<_>>(), bytes_left);
            bytes_left = bytes_left.saturating_sub(index.bytes());
            index
        };
        // What is required of this type is required of any that has no filter of its own.
        let every = index(EVERY_TYPE, every);
        let named = named.into_iter().map(|(event_type, places)| (event_type.to_owned(), index(event_type, places)));
        Self { named: named.collect(), every }
    }

    fn candidates(&self, event: &EventParts<'_>) -> Vec<usize> {
        let named = self.named.get(&event.job().event_type);
        let reads_body = self.every.reads_body() || named.is_some_and(Index::reads_body);
        let known = event.known(reads_body);
        let mut candidates = self.every.candidates(known);
        if let Some(named) = named {
            candidates.extend(named.candidates(known));
            candidates.sort_unstable();
            candidates.dedup();
        }
        candidates
    }
}

#[cfg(test)]
mod tests {
    use posthouse_schema::{filter::FilterRow, ids::EndpointId, routing::Route};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::delivery::{
        filtering::tests::{event, row},
        matching::{matching, tests::route},
    };

    fn prepared(routes: &[Route]) -> Vec<Arc<PreparedRoute>> {
        routes.iter().cloned().map(|route| Arc::new(PreparedRoute::new(route))).collect()
    }

    /// Places of the routes that are asked.
    fn asked(routes: &[Route], event_type: &str, data: &str) -> Vec<usize> {
        let routes_to = Routes::to(&EventTarget::Broadcast, &prepared(routes));
        let job = event(event_type, data);
        let candidates = routes_to.candidates(&EventParts::new(&job));
        let place = |asked: &PreparedRoute| routes.iter().position(|known| *known == asked.route).unwrap();
        candidates.into_iter().map(place).collect()
    }

    #[test]
    fn those_are_asked_whose_type_and_requirements_fit() {
        let mut routes: Vec<_> = (0..40_usize)
            .map(|n| {
                let mut route = route(EndpointId::generate(), "", &[["a", "b", "*"][n % 3]]);
                route.filter = Some(json!({"body": {"customer": n}}));
                route
            })
            .collect();
        assert_eq!(asked(&routes, "a", r#"{"customer":3}"#), [3]);
        assert_eq!(asked(&routes, "b", r#"{"customer":3}"#), Vec::<usize>::new(), "its type is another");
        assert_eq!(asked(&routes, "other", r#"{"customer":"5.0"}"#), [5]);
        routes[7].filter = None;
        routes[8].filter = Some(json!({"body": {"customer": {"$weird": 1}}}));
        routes[9].filters = vec![row("b", true, json!({"customer": {"$gt": 1}}))];
        assert_eq!(asked(&routes, "b", r#"{"customer":4}"#), [4, 7, 8], "without a filter, and with one that is none");
        assert_eq!(
            asked(&routes, "b", r#"{"customer":9}"#),
            [7, 8, 9],
            "a type is wanted that has a filter of its own"
        );
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        assert_eq!(asked(&routes, "b", &deep).len(), 27, "data that cannot be read is each subscription's error");
        assert_eq!(asked(&routes, "*", "{}").len(), 40);
        assert_eq!(asked(&routes[..15], "b", "{}").len(), 15, "few are all asked");
    }

    #[test]
    fn routes_of_very_many_types_are_found_by_type_alone() {
        let types: Vec<String> = (0..6_000).map(|n| n.to_string()).collect();
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        let mut routes: Vec<_> = (0..20).map(|_| route(EndpointId::generate(), "", &types)).collect();
        routes.push(route(EndpointId::generate(), "", &["*"]));
        for route in &mut routes {
            route.filter = Some(json!({"body": {"customer": 1}}));
        }
        assert_eq!(asked(&routes, "7", "{}"), (0..20).collect::<Vec<_>>());
        assert_eq!(asked(&routes, "other", "{}"), Vec::<usize>::new());
    }

    fn conditions() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![
            json!({}),
            json!({"n": 1}),
            json!({"n": "1.0"}),
            json!({"n": {"$in": [1, "x"]}}),
            json!({"n": {"$gt": 0}}),
            json!({"n": {"$neq": 1}}),
            json!({"n": {"$weird": 1}}),
            json!({"n": null, "m": {"$exist": true}}),
            json!({"m": "x", "n": 2}),
            json!({"m": {"$regex": "x"}}),
            json!({"items.$.n": 1}),
            json!({"$or": [{"n": 1}, {"m": "x"}]}),
            json!({"$or": [{"n": 1}, {"m": {"$regex": "x"}}]}),
            json!({"$and": [{"n": {"$lt": 9}}, {"m": {"$eq": "x"}}]}),
        ])
    }

    fn filter_row() -> impl Strategy<Value = FilterRow> {
        (prop::sample::select(vec!["a", "b", "*"]), any::<bool>(), conditions())
            .prop_map(|(event_type, is_enabled, body)| row(event_type, is_enabled, body))
    }

    fn any_route(endpoints: [EndpointId; 3]) -> impl Strategy<Value = Route> {
        let types = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "*"]), 0..3);
        let headers = prop::sample::select(vec![json!({}), json!({"X-Kind": "a"}), json!({"X-Kind": "b"})]);
        let own = prop::option::of((headers, conditions()));
        let filters = prop::collection::vec(filter_row(), 0..3);
        (prop::sample::select(endpoints.to_vec()), types, own, filters).prop_map(|(endpoint, types, own, filters)| {
            let mut route = route(endpoint, "", &types);
            route.filter = own.map(|(headers, body)| json!({"headers": headers, "body": body}));
            route.filters = filters;
            route
        })
    }

    fn any_event() -> impl Strategy<Value = (String, String)> {
        let data = prop::sample::select(vec![
            r#"{"n":1}"#.to_string(),
            r#"{"n":1.0,"m":"x"}"#.into(),
            r#"{"n":"1"}"#.into(),
            r#"{"n":[2,1],"m":["x"]}"#.into(),
            r#"{"items":[{"n":2},{"n":1}]}"#.into(),
            r#"{"n":null,"m":"x"}"#.into(),
            r#"{"n":2,"m":"x"}"#.into(),
            r#"[{"n":1}]"#.into(),
            "[".repeat(1_000) + &"]".repeat(1_000),
        ]);
        (prop::sample::select(vec!["a", "b", "c", "other", "*"]).prop_map(String::from), data)
    }

    proptest! {
        /// By the index the same routes are found, in the same order, as by asking every one.
        #[test]
        fn an_index_changes_nothing(
            routes in Just([(); 3].map(|()| EndpointId::generate()))
                .prop_flat_map(|endpoints| prop::collection::vec(any_route(endpoints), 16..40)),
            events in prop::collection::vec(any_event(), 1..8),
            is_broadcast: bool,
        ) {
            let endpoint_id = routes[0].endpoint_id;
            let target = if is_broadcast { EventTarget::Broadcast } else { EventTarget::Single { endpoint_id } };
            let indexed = Routes::to(&target, &prepared(&routes));
            let plain = Routes { all: indexed.all.clone(), by_type: None };
            // However few there are.
            let indexed = Routes { by_type: Some(ByType::of(&plain.all)), ..indexed };
            for (event_type, data) in events {
                let mut job = event(&event_type, &data);
                job.target = target.clone();
                let parts = EventParts::new(&job);
                prop_assert_eq!(matching(&parts, &indexed), matching(&parts, &plain), "{} {}", event_type, data);
            }
        }
    }
}
