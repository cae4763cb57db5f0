//! Which route each handler of the API has: a handler that runs without a request of its own leaves the line that a request
//! by this route would.

use std::{any::TypeId, collections::HashMap, sync::LazyLock};

use salvo::{Handler, http::Method, prelude::*};

use crate::{
    goals::{self, Goal},
    router,
};

/// A method, and a path as it is written in the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
}

/// Built when the first form is sent, and kept: handlers and their routes are the same as long as the process lives.
static OF_HANDLERS: LazyLock<HashMap<TypeId, Route>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for (route, handler) in all(&router::operations()) {
        known.entry(handler).or_insert(route);
    }
    known
});

/// The route of a handler, one of them where there are several. A handler without one goes by the name of its type, which
/// no list of what is to be recorded has: it is recorded under that name.
pub fn of<H: Handler>(handler: &H) -> Route {
    let unknown = || Route { method: Method::POST, path: Handler::type_name(handler).to_string() };
    OF_HANDLERS.get(&TypeId::of::<H>()).cloned().unwrap_or_else(unknown)
}

/// Every route of a router that has a method, with the type of its handler.
fn all(router: &Router) -> impl Iterator<Item = (Route, TypeId)> {
    let route = |goal: Goal| Some((Route { method: goal.method?, path: goal.path }, goal.handler));
    goals::of(router).into_iter().filter_map(route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::operations::treatment, endpoints, organisations, projects};

    #[test]
    fn handlers_are_known_by_their_routes() {
        let path = "api/v1/projects/{project_id}/endpoints/{endpoint_id}";
        assert_eq!(of(&endpoints::update_endpoint), Route { method: Method::PUT, path: path.into() });
        assert_eq!(of(&endpoints::get_endpoint).method, Method::GET);
        assert_eq!(
            of(&organisations::process_invite).path,
            "ui/organisations/process_invite",
            "of who is not signed in"
        );
        let of_project = "ui/organisations/{org_id}/projects/{project_id}/security/keys/regenerate";
        assert_eq!(of(&projects::regenerate_key).path, of_project);
        #[handler]
        async fn unknown() {}
        assert_eq!(of(&unknown).method, Method::POST);
        assert_eq!(treatment("POST", &of(&unknown).path), None);
    }

    /// So that it does not matter which of its routes a handler is known by.
    #[test]
    fn a_handler_is_treated_alike_by_all_of_its_routes() {
        let mut known = HashMap::new();
        for (route, handler) in all(&router::operations()) {
            let treated = treatment(route.method.as_str(), &route.path);
            let first = known.entry(handler).or_insert(treated);
            assert_eq!(*first, treated, "{route:?}");
        }
        assert!(known.len() > 100, "only {} handlers are found", known.len());
    }
}
