//! The endpoint behind a dynamic event, and the subscription of an endpoint that had none: found, or made once.

use posthouse_schema::{
    dynamic_endpoint::{self, NewDynamicEndpoint},
    endpoint::{Endpoint, EndpointFilter, EndpointValues, secrets_of},
    ids::{EndpointId, ProjectId},
    page::{Direction, PageRequest, Sort},
    subscription::{Subscription, SubscriptionFilter},
};

use crate::fixture::{Fixture, fixture, run};

fn values(url: &str) -> EndpointValues {
    EndpointValues {
        name: "endpoint-1".into(),
        url: url.into(),
        description: String::new(),
        owner_id: String::new(),
        advanced_signatures: true,
        content_type: "application/json".into(),
        http_timeout_seconds: 0,
        rate_limit: 0,
        rate_limit_duration_seconds: 0,
        authentication: None,
        mtls_client_cert: None,
        ordering: None,
        follow_redirects: false,
        support_email: String::new(),
        slack_webhook_url: String::new(),
        teams_webhook_url: String::new(),
    }
}

async fn endpoints(fixture: &mut Fixture) -> Vec<Endpoint> {
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    Endpoint::list(&mut fixture.conn, fixture.project, &EndpointFilter::default(), &page).await.unwrap().rows
}

async fn subscriptions(fixture: &mut Fixture) -> Vec<Subscription> {
    let page = PageRequest { per_page: 100, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
    Subscription::list(&mut fixture.conn, fixture.project, &SubscriptionFilter::default(), &page).await.unwrap().rows
}

#[tokio::test]
async fn an_endpoint_with_exactly_that_url_is_used_and_its_event_types_are_set() {
    let mut fixture = fixture().await;
    let (known, other) = (values("https://example.com"), values("https://example.com/"));
    let types = ["a".to_string()];
    let with = |endpoint, event_types| NewDynamicEndpoint { endpoint, secret: "s", event_types };
    let project = fixture.project;
    let id = dynamic_endpoint::resolve(&mut fixture.conn, project, &with(&known, &[])).await.unwrap();
    assert_eq!(id, fixture.subscription);
    assert_eq!(subscriptions(&mut fixture).await[0].event_types.0, ["invoice.paid"], "nothing was asked for");
    dynamic_endpoint::resolve(&mut fixture.conn, project, &with(&known, &types)).await.unwrap();
    assert_eq!(subscriptions(&mut fixture).await[0].event_types.0, ["a"]);
    let made = dynamic_endpoint::resolve(&mut fixture.conn, project, &with(&other, &types)).await.unwrap();
    assert_ne!(made, id);
    assert_eq!(dynamic_endpoint::find(&mut fixture.conn, project, "https://example.com/").await.unwrap(), Some(made));
    assert_eq!(dynamic_endpoint::find(&mut fixture.conn, ProjectId::generate(), &known.url).await.unwrap(), None);
    let made = endpoints(&mut fixture).await.pop().unwrap();
    assert_eq!(secrets_of(&mut fixture.conn, project, &[made.id]).await.unwrap()[0].value().unwrap(), "s");
    run(&mut fixture.conn, "UPDATE subscriptions SET deleted_at = now()").await;
    let again = dynamic_endpoint::resolve(&mut fixture.conn, project, &with(&known, &[])).await.unwrap();
    let rows = subscriptions(&mut fixture).await;
    assert_eq!((rows.len(), rows[0].id, rows[0].event_types.0.as_slice()), (1, again, ["*".to_string()].as_slice()));
    assert_eq!(rows[0].name, format!("dynamic-subscription-{}", fixture.endpoint));
}

#[tokio::test]
async fn of_many_at_once_one_makes_the_endpoint() {
    let mut fixture = fixture().await;
    let (pool, project, new) = (fixture.database.pool(), fixture.project, values("https://new.example.com"));
    let resolved = (0..12).map(|_| {
        let (pool, new) = (pool.clone(), &new);
        async move {
            let new = NewDynamicEndpoint { endpoint: new, secret: "s", event_types: &[] };
            dynamic_endpoint::resolve(&mut pool.get().await.unwrap(), project, &new).await.unwrap()
        }
    });
    let ids = futures::future::join_all(resolved).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!((endpoints(&mut fixture).await.len(), subscriptions(&mut fixture).await.len()), (2, 2));
}

#[tokio::test]
async fn an_endpoint_that_never_had_a_subscription_gets_one_to_everything_once() {
    let mut fixture = fixture().await;
    let (project, endpoint) = (fixture.project, fixture.endpoint);
    assert!(!Subscription::insert_for_lonely(&mut fixture.conn, project, endpoint).await.unwrap(), "it has one");
    assert!(!Subscription::insert_for_lonely(&mut fixture.conn, project, EndpointId::generate()).await.unwrap());
    run(&mut fixture.conn, "UPDATE subscriptions SET deleted_at = now()").await;
    assert!(!Subscription::insert_for_lonely(&mut fixture.conn, project, endpoint).await.unwrap(), "it had one");
    run(&mut fixture.conn, "DELETE FROM subscriptions").await;
    let pool = fixture.database.pool();
    let made =
        futures::future::join_all(
            (0..8).map(|_| {
                let pool = pool.clone();
                async move {
                    Subscription::insert_for_lonely(&mut pool.get().await.unwrap(), project, endpoint).await.unwrap()
                }
            }),
        );
    assert_eq!(made.await.into_iter().filter(|made| *made).count(), 1);
    let [row] = &subscriptions(&mut fixture).await[..] else { panic!("one subscription") };
    assert_eq!((row.name.as_str(), row.event_types.0.as_slice()), ("e-subscription", ["*".to_string()].as_slice()));
}
