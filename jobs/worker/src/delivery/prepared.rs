//! Routes with their filters compiled, which costs far more than to compare them. What a change of the project left as it
//! was is not compiled again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use posthouse_schema::{ids::SubscriptionId, routing::Route};

use super::matching::PreparedRoute;

/// Routes that are kept, also of subscriptions that are gone; before there are more all others are forgotten.
const KEPT_MAX: usize = 20_000;

/// The routes of a project that were prepared so far, for one snapshot of it after the other.
#[derive(Debug, Default)]
pub struct Prepared(Mutex<HashMap<SubscriptionId, Arc<PreparedRoute>>>);

impl Prepared {
    /// These routes, prepared.
    #[must_use]
    pub fn of(&self, routes: Vec<Route>) -> Vec<Arc<PreparedRoute>> {
        let known: Vec<_> = {
            let kept = self.kept();
            let known = |route: &Route| kept.get(&route.subscription_id).filter(|known| known.route == *route).cloned();
            routes.iter().map(known).collect()
        };
        let prepare = |(route, known): (Route, Option<_>)| known.unwrap_or_else(|| Arc::new(PreparedRoute::new(route)));
        let prepared: Vec<_> = routes.into_iter().zip(known).map(prepare).collect();
        let mut kept = self.kept();
        let more = prepared.iter().filter(|prepared| !kept.contains_key(&prepared.route.subscription_id)).count();
        if kept.len() + more > KEPT_MAX {
            kept.clear();
        }
        kept.extend(prepared.iter().map(|prepared| (prepared.route.subscription_id, Arc::clone(prepared))));
        drop(kept);
        prepared
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<SubscriptionId, Arc<PreparedRoute>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use posthouse_schema::ids::EndpointId;
    use serde_json::json;

    use super::*;
    use crate::delivery::matching::tests::route;

    #[test]
    fn what_has_not_changed_is_prepared_once() {
        let mut routes: Vec<_> = (0..3).map(|_| route(EndpointId::generate(), "", &["*"])).collect();
        let prepared = Prepared::default();
        let first = prepared.of(routes.clone());
        routes[1].filter = Some(json!({"body": {"n": 1}}));
        let second = prepared.of(routes.clone());
        assert!(Arc::ptr_eq(&first[0], &second[0]) && Arc::ptr_eq(&first[2], &second[2]));
        assert!(first[1].filters.is_none() && second[1].filters.is_some());
        assert_eq!(second[1].route, routes[1]);
        assert!(Arc::ptr_eq(&prepared.of(routes)[1], &second[1]));
    }

    #[test]
    fn the_latest_are_kept_however_many_they_are() {
        let all: Vec<_> = (0..=KEPT_MAX).map(|_| route(EndpointId::generate(), "", &["*"])).collect();
        let prepared = Prepared::default();
        let first = prepared.of(all.clone());
        assert!(first.iter().zip(prepared.of(all)).all(|(one, two)| Arc::ptr_eq(one, &two)));
        assert_eq!(prepared.of(vec![route(EndpointId::generate(), "", &["*"])]).len(), 1);
        assert_eq!(prepared.kept().len(), 1);
    }
}
