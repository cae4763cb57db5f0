//! Endpoints that want OAuth 2 tokens: asked for once, used until they are not accepted, and never shown.

use posthouse_schema::{ids::EndpointId, words::DeliveryStatus};
use serde_json::json;

use crate::{
    receiver::{Receiver, plain},
    world::{World, config, direct},
};

async fn endpoint(world: &World, receiver: &Receiver, tokens: &str) -> EndpointId {
    let oauth2 = json!({"url": tokens, "client_id": "c", "authentication_type": "shared_secret", "client_secret": "s"});
    let authentication = json!({"type": "oauth2", "oauth2": oauth2});
    world.endpoint(&receiver.url(), |values, _| values.authentication = Some(authentication)).await
}

#[tokio::test]
async fn a_token_is_kept_until_the_endpoint_refuses_it() {
    let world = World::start(config(), direct(), None).await;
    let (receiver, tokens) = (Receiver::start().await, Receiver::start().await);
    let id = endpoint(&world, &receiver, &tokens.url()).await;
    tokens.then(&[
        &plain("200 OK", r#"{"access_token":"first","expires_in":3600}"#),
        &plain("200 OK", r#"{"access_token":"second","expires_in":3600}"#),
    ]);
    for count in 1..=2 {
        world.queues.push(&world.event(id, "invoice.paid")).await.unwrap();
        world.ended(count, DeliveryStatus::Success).await;
    }
    receiver.then(&[&plain("401 Unauthorized", "")]);
    world.queues.push(&world.event(id, "invoice.paid")).await.unwrap();
    let deliveries = world.ended(3, DeliveryStatus::Success).await;
    let sent: Vec<_> = receiver.received().iter().map(|r| r.header("authorization").unwrap().to_string()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer first", "Bearer first", "Bearer second"]);
    assert_eq!(tokens.received().len(), 2);
    let form = String::from_utf8(tokens.received()[0].body.clone()).unwrap();
    assert_eq!(form, "grant_type=client_credentials&client_id=c&client_secret=s");
    for delivery in &deliveries {
        let attempts = world.attempts(delivery).await;
        assert!(attempts.iter().all(|attempt| attempt.request_headers.get("authorization") == Some("***")));
    }
    world.stop().await;
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_attempt_says_why() {
    let mut once = config();
    once.strategy.retry_count = 1;
    let world = World::start(once, direct(), None).await;
    let (receiver, tokens) = (Receiver::start().await, Receiver::start().await);
    tokens.then(&[&plain("400 Bad Request", r#"{"error":"invalid_client"}"#)]);
    let id = endpoint(&world, &receiver, &tokens.url()).await;
    world.queues.push(&world.event(id, "invoice.paid")).await.unwrap();
    let [delivery] = &world.ended(1, DeliveryStatus::Failure).await[..] else { panic!("one delivery") };
    let [attempt] = &world.attempts(delivery).await[..] else { panic!("one attempt") };
    assert_eq!(attempt.error_class.as_deref(), Some("oauth2"));
    assert!(attempt.error.as_deref().unwrap().contains("answered 400: invalid_client"));
    assert!(receiver.received().is_empty());

    // A token endpoint is a destination like any other.
    let inside = endpoint(&world, &receiver, "http://169.254.169.254/token").await;
    world.queues.push(&world.event(inside, "invoice.paid")).await.unwrap();
    let deliveries = world.ended(2, DeliveryStatus::Failure).await;
    let refused = deliveries.iter().find(|delivery| delivery.endpoint_id == inside).unwrap();
    assert_eq!(world.attempts(refused).await[0].error_class.as_deref(), Some("refused_by_egress"));
    world.stop().await;
}
