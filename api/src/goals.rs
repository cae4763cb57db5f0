//! What a router leads to: each of its handlers with its method and its path.

use std::any::TypeId;

use salvo::{http::Method, prelude::*, routing::FilterInfo};

/// A handler at the end of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The method; `None` for any.
    pub method: Option<Method>,
    /// The path as it is written in the router, without a slash at its ends.
    pub path: String,
    /// The type of the handler.
    pub handler: TypeId,
}

/// Every goal of a router, in its order.
#[must_use]
pub fn of(router: &Router) -> Vec<Goal> {
    let mut found = Vec::new();
    walk(router, "", None, &mut found);
    found
}

fn walk(router: &Router, above: &str, method: Option<&Method>, found: &mut Vec<Goal>) {
    let (mut path, mut method) = (above.to_string(), method.cloned());
    for filter in router.filters() {
        match filter.info() {
            FilterInfo::Path(own) => path = format!("{path}/{}", own.trim_matches('/')).trim_matches('/').to_string(),
            FilterInfo::Method(own) => method = Some(own),
            _ => {}
        }
    }
    if let Some(goal) = &router.goal {
        found.push(Goal { method: method.clone(), path: path.clone(), handler: goal.as_ref().type_id() });
    }
    router.routers().iter().for_each(|below| walk(below, &path, method.as_ref(), found));
}
