//! Invariant 3: Redis is emptied under load, again and again, and everything that PostgreSQL has is delivered all the same.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use posthouse_e2e::sender::{event, send};
use posthouse_jobs::{DeliverEvent, Job as _, Queues};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::world::{World, eventually, ground};

/// Events whose deliveries are held back until they are lost.
const HELD: usize = 60;
/// Events that are sent meanwhile, by so many senders.
const DURING: usize = 60;
const SENDERS: usize = 4;
const EMPTIED: usize = 3;

async fn empty_redis(port: u16) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(b"FLUSHALL\r\n").await.unwrap();
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}

#[tokio::test]
async fn what_is_stored_is_delivered_though_redis_is_emptied_under_load() {
    let mut ground = ground("it-emptied-redis").await;
    ground.shared.extra = vec![("scheduler", vec!["--sweep-schedule".into(), "*/2 * * * * *".into()])];
    let (deployment, client) = ground.roles().await.unwrap();
    let mut world = World { deployment, client, ground };
    let endpoint = world.endpoint("a").await;
    let port = world.ground.stage.redis.as_ref().unwrap().port();
    // Only what is stored is promised: the answer says that it is.
    let stored = |key: String| {
        let (client, mut event) = (world.client.clone(), event(&endpoint, &key));
        event["ack"] = json!("postgres");
        async move { send(&client, &event).await.unwrap() }
    };
    let queues = Queues::connect(world.ground.stage.redis_url(), "posthouse").await.unwrap();
    let view = queues.view(DeliverEvent::QUEUE);
    view.pause().await.unwrap();
    for number in 0..HELD {
        stored(format!("held-{number}")).await;
    }
    eventually(Duration::from_secs(30), "all jobs wait", async || {
        let counts = view.counts().await.map_err(|error| error.to_string())?;
        if counts.ready + counts.running >= HELD as u64 { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
    assert_eq!(world.received().requests, 0, "nothing was delivered yet");
    let accepted = AtomicUsize::new(0);
    let senders = (0..SENDERS).map(|sender| {
        let numbers = (0..DURING).filter(move |number| number % SENDERS == sender);
        let sent = numbers.map(|number| stored(format!("during-{number}"))).collect::<Vec<_>>();
        let accepted = &accepted;
        async move {
            for one in sent {
                one.await;
                accepted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let emptying = async {
        for time in 0..EMPTIED {
            eventually(Duration::from_secs(120), "the load goes on", async || {
                let accepted = accepted.load(Ordering::SeqCst);
                if accepted >= time * DURING / EMPTIED { Ok(()) } else { Err(format!("{accepted} accepted")) }
            })
            .await;
            empty_redis(port).await;
        }
    };
    tokio::join!(futures::future::join_all(senders), emptying);
    world.deployment.check_alive().unwrap();
    world.wait_for_successes(HELD + DURING, Duration::from_secs(120)).await;
    let received = world.received();
    let all = HELD + DURING;
    assert_eq!((received.idempotency_keys, received.webhook_ids), (all, all), "{received:?}");
    world.stop().await;
}
