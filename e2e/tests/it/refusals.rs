//! What callers do wrong is answered in the envelope, and changes nothing.

use posthouse_e2e::{client::Reply, sender::event};
use serde_json::json;

use crate::world::World;

const BODY_BYTES_MAX: usize = 1_048_576;

fn assert_refused(reply: &Reply, status: u16, message: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert_eq!(reply.body["status"], json!(false), "{}", reply.body);
    let text = reply.body["message"].as_str().unwrap_or_default();
    assert!(text.contains(message), "{message:?} is not in {}", reply.body);
}

#[tokio::test]
async fn mistakes_are_answered_clearly_and_create_nothing() {
    let world = World::start("it-refusals").await;
    let (client, endpoint) = (&world.client, world.endpoint("a").await);

    let forged = format!("CO.{}.{}", "a".repeat(16), "b".repeat(64));
    let wrong_key = client.with_key(&forged).post("events", &event(&endpoint, "1")).await.unwrap();
    assert_refused(&wrong_key, 401, "authorization failed");
    let broken = client.post_text("events", r#"{"endpoint_id": "x", "data": {"#.into()).await.unwrap();
    assert_refused(&broken, 400, "badly-formed JSON");
    let unknown = client.post("events", &event("01ARZ3NDEKTSV4RRFFQ69G5FAV", "3")).await.unwrap();
    assert_refused(&unknown, 400, "endpoint not found");
    let mut oversize = event(&endpoint, "4");
    oversize["data"]["filler"] = "x".repeat(BODY_BYTES_MAX).into();
    let oversize = client.post("events", &oversize).await.unwrap();
    assert_refused(&oversize, 413, "");
    assert_refused(&client.get("events/01ARZ3NDEKTSV4RRFFQ69G5FAV").await.unwrap(), 404, "event not found");

    assert_eq!(client.post("events", &event(&endpoint, "5")).await.unwrap().status, 201);
    world.wait_for_successes(1, std::time::Duration::from_secs(30)).await;
    assert_eq!(client.list("events").await.unwrap().len(), 1, "only the good event is there");
    world.stop().await;
}
