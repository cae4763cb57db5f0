//! `HEAD` wherever there is `GET`: the same work, and the answer without its body, which the server leaves out.

use salvo::{
    async_trait,
    http::Method,
    prelude::*,
    routing::{Filter, FilterInfo, PathState},
};

/// Lets every route that answers `GET` answer `HEAD` as well.
#[must_use]
pub fn answer_head(mut router: Router) -> Router {
    for filter in router.filters_mut() {
        if matches!(filter.info(), FilterInfo::Method(method) if method == Method::GET) {
            *filter = Box::new(GetOrHead);
        }
    }
    let children = std::mem::take(router.routers_mut());
    router.routers_mut().extend(children.into_iter().map(answer_head));
    router
}

#[derive(Debug)]
struct GetOrHead;

#[async_trait]
impl Filter for GetOrHead {
    async fn filter(&self, req: &mut Request, _state: &mut PathState<'_>) -> bool {
        [Method::GET, Method::HEAD].contains(req.method())
    }

    fn info(&self) -> FilterInfo {
        FilterInfo::Other("GET or HEAD")
    }

    fn collect_methods(&self, methods: &mut Vec<Method>) {
        methods.extend([Method::GET, Method::HEAD]);
    }

    async fn filter_for_method(&self, _req: &mut Request, _state: &mut PathState<'_>, method: &Method) -> Option<bool> {
        Some([Method::GET, Method::HEAD].contains(method))
    }
}
