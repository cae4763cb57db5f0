//! What the holder of a portal link can do, below `/portal-api`: the handlers of the API that take a scope, and a few of
//! its own. The link decides the project, so that no path names one.

mod instance;
mod link;

use salvo::prelude::*;

use self::{
    instance::{get_configuration, get_features, get_sign_in},
    link::get_own_link,
};
use crate::{audit, auth, deliveries, endpoints, event_types, events, filters, functions, projects, subscriptions};

/// All routes, described in a document of their own: their operations are those of the API.
pub fn router() -> Router {
    Router::with_path("portal-api")
        .hoop(auth::authenticate)
        .hoop(auth::portal_only)
        .hoop(audit::record)
        .push(
            Router::with_path("configuration").get(get_configuration).push(Router::with_path("auth").get(get_sign_in)),
        )
        .push(Router::with_path("license/features").get(get_features))
        .push(Router::with_path("portal_link").get(get_own_link))
        .push(projects::summary_router())
        .push(endpoints())
        .push(events())
        .push(deliveries())
        .push(subscriptions())
        .push(event_types())
}

fn endpoints() -> Router {
    let rates = Router::with_path("period-failure-rates").get(endpoints::period_failure_rates);
    Router::with_path("endpoints").get(endpoints::list_endpoints).post(endpoints::create_endpoint).push(rates).push(
        Router::with_path("{endpoint_id}")
            .get(endpoints::get_endpoint)
            .put(endpoints::update_endpoint)
            .delete(endpoints::delete_endpoint)
            .push(Router::with_path("pause").put(endpoints::pause_endpoint))
            .push(Router::with_path("expire_secret").put(endpoints::expire_secret)),
    )
}

fn events() -> Router {
    Router::with_path("events")
        .get(events::list_events)
        .post(events::create_event)
        .push(Router::with_path("batchreplay").post(events::batch_replay))
        .push(Router::with_path("countbatchreplayevents").get(events::count_batch_replay))
        .push(
            Router::with_path("{event_id}")
                .get(events::get_event)
                .push(Router::with_path("replay").put(events::replay_event)),
        )
}

fn deliveries() -> Router {
    let attempts = Router::with_path("deliveryattempts")
        .get(deliveries::list_attempts)
        .push(Router::with_path("{attempt_id}").get(deliveries::get_attempt));
    Router::with_path("eventdeliveries")
        .get(deliveries::list_deliveries)
        .push(Router::with_path("batchretry").post(deliveries::batch_retry))
        .push(Router::with_path("countbatchretryevents").get(deliveries::count_batch_retry))
        .push(Router::with_path("forceresend").post(deliveries::force_resend))
        .push(Router::with_path("statustotals").get(deliveries::status_totals))
        .push(
            Router::with_path("{delivery_id}")
                .get(deliveries::get_delivery)
                .push(Router::with_path("resend").put(deliveries::resend_delivery))
                .push(attempts),
        )
}

fn subscriptions() -> Router {
    Router::with_path("subscriptions")
        .get(subscriptions::list_subscriptions)
        .post(subscriptions::create_subscription)
        .push(Router::with_path("test_filter").post(subscriptions::try_filter))
        .push(Router::with_path("test_function").post(functions::test_subscription_function))
        .push(
            Router::with_path("{subscription_id}")
                .get(subscriptions::get_subscription)
                .put(subscriptions::update_subscription)
                .delete(subscriptions::delete_subscription)
                .push(filters::router()),
        )
}

/// The catalogue can be read. Changing it is the project's: those routes are there, and refuse.
fn event_types() -> Router {
    Router::with_path("event-types").get(event_types::list_event_types).post(event_types::create_event_type).push(
        Router::with_path("{event_type_id}")
            .put(event_types::update_event_type)
            .push(Router::with_path("deprecate").post(event_types::deprecate_event_type)),
    )
}
