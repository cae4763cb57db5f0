//! Redis or PostgreSQL goes away under a running system: callers hear of it, the roles live on, and nothing that was
//! accepted is lost.

use std::time::{Duration, Instant};

use posthouse_e2e::{
    client::Reply,
    deployment::probe_client,
    sender::{event, send},
};
use serde_json::{Value, json};

use crate::world::{World, eventually};

const BEFORE: usize = 50;
const DURING: usize = 20;
/// A caller must hear of an outage before its own patience ends.
const ANSWER_LIMIT: Duration = Duration::from_secs(12);

fn assert_unavailable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(reply.body["status"], json!(false), "{}", reply.body);
    assert!(reply.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", reply.body);
}

async fn timed(call: impl Future<Output = anyhow::Result<Reply>>) -> Reply {
    let start = Instant::now();
    let reply = call.await.unwrap();
    assert!(start.elapsed() < ANSWER_LIMIT, "{} came after {:?}", reply.status, start.elapsed());
    reply
}

/// The check of this name in every role's `/readyz` that has it; all must be answered 503.
async fn wait_until_unready(world: &mut World, check: &str) {
    let http = probe_client().unwrap();
    for name in ["api", "worker-1", "worker-2", "scheduler-1", "scheduler-2", "ingest"] {
        let url = format!("http://{}/readyz", world.deployment.role(name).unwrap().probe());
        eventually(Duration::from_secs(20), &format!("{name} is not ready"), async || {
            let answer = http.get(&url).send().await.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.map_err(|error| error.to_string())?;
            let told = body["checks"][check].as_str().is_some_and(|text| text != "ok");
            if status == 503 && body["status"] == "unavailable" && told {
                Ok(())
            } else {
                Err(format!("{status} {body}"))
            }
        })
        .await;
    }
}

#[tokio::test]
async fn an_outage_of_redis_is_told_and_loses_nothing() {
    let mut world = World::start("it-redis-outage").await;
    let endpoint = world.endpoint("a").await;
    let client = world.client.clone();
    for number in 0..BEFORE {
        send(&client, &event(&endpoint, &format!("before-{number}"))).await.unwrap();
    }
    world.ground.stage.redis.as_mut().unwrap().stop().await.unwrap();
    for number in 0..3 {
        assert_unavailable(&timed(client.post("events", &event(&endpoint, &format!("during-{number}")))).await);
    }
    assert_eq!(timed(client.get("endpoints")).await.status, 200, "reads need no Redis");
    wait_until_unready(&mut world, "redis").await;
    world.deployment.check_alive().unwrap();
    world.ground.stage.redis.as_mut().unwrap().resume().await.unwrap();
    for number in 0..DURING {
        send(&client, &event(&endpoint, &format!("during-{number}"))).await.unwrap();
    }
    world.deployment.wait_until_ready().await.unwrap();
    world.wait_for_successes(BEFORE + DURING, Duration::from_secs(90)).await;
    let received = world.received();
    assert_eq!((received.idempotency_keys, received.webhook_ids), (BEFORE + DURING, BEFORE + DURING), "{received:?}");
    world.stop().await;
}

#[tokio::test]
async fn an_outage_of_postgresql_is_told_and_loses_nothing() {
    let mut world = World::start("it-postgresql-outage").await;
    let endpoint = world.endpoint("a").await;
    let client = world.client.clone();
    for number in 0..BEFORE {
        send(&client, &event(&endpoint, &format!("before-{number}"))).await.unwrap();
    }
    world.ground.stage.postgres.as_mut().unwrap().stop().await.unwrap();
    assert_unavailable(&timed(client.get("events")).await);
    assert_unavailable(&timed(client.post("endpoints", &json!({"name": "b", "url": "http://127.0.0.1:1/"}))).await);
    wait_until_unready(&mut world, "postgres").await;
    // An event may be accepted from what the API remembers, or refused; a refused one is sent again.
    for number in 0..DURING {
        let reply = timed(client.post("events", &event(&endpoint, &format!("during-{number}")))).await;
        if reply.status != 201 {
            assert_unavailable(&reply);
        }
    }
    world.deployment.check_alive().unwrap();
    world.ground.stage.postgres.as_mut().unwrap().resume().await.unwrap();
    for number in 0..DURING {
        send(&client, &event(&endpoint, &format!("during-{number}"))).await.unwrap();
    }
    world.deployment.wait_until_ready().await.unwrap();
    world.wait_for_successes(BEFORE + DURING, Duration::from_secs(90)).await;
    let received = world.received();
    assert_eq!((received.idempotency_keys, received.webhook_ids), (BEFORE + DURING, BEFORE + DURING), "{received:?}");
    world.stop().await;
}
