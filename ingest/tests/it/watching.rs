//! How sources are doing, as ingest tells it.

use diesel::sql_query;
use diesel_async::RunQueryDsl as _;
use posthouse_jobs::{
    DeliverMetaEvent, Job as _, Notify,
    queue::{JobState, SourceState},
};
use posthouse_schema::{ids::SourceId, words::MetaEventKind};
use serde_json::{Value, json};

use crate::{
    broker::{Broker, numbered},
    program::{SOON, eventually},
    world::World,
};

impl World {
    async fn state(&self, source_id: SourceId) -> SourceState {
        self.queues.queues().source_state(source_id).await.unwrap().unwrap_or_default()
    }

    /// Waits until the source's state is as wanted.
    async fn state_becomes(&self, what: &str, source_id: SourceId, is: impl Fn(&SourceState) -> bool) {
        eventually(what, SOON, async || is(&self.state(source_id).await)).await;
    }

    /// The project wants to hear of failing sources.
    async fn want_meta_events(&self) {
        let config =
            json!({"meta_event": {"is_enabled": true, "url": "https://example.com", "event_type": ["source.failing"]}});
        let update = format!("UPDATE projects SET config = '{config}'");
        sql_query(update).execute(&mut self.pool.get().await.unwrap()).await.unwrap();
    }

    /// The meta events that were pushed.
    async fn announced(&self) -> Vec<Value> {
        let page = self.queues.view(DeliverMetaEvent::QUEUE).page(JobState::Ready, 0, 100).await.unwrap_or_default();
        let jobs = page.iter().map(|job| serde_json::from_slice::<DeliverMetaEvent>(&job.payload).unwrap());
        jobs.map(|job| {
            let new = job.new.unwrap();
            assert_eq!((job.project_id, new.event_type), (self.project_id, MetaEventKind::SourceFailing));
            serde_json::from_str(new.data.get()).unwrap()
        })
        .collect()
    }
}

#[tokio::test]
async fn counts_errors_and_the_connection_are_told() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    broker.publish("t", &[numbered(1), numbered(2), "no json".to_owned()]).await;
    world.state_becomes("three messages are counted", source_id, |state| state.note.received == 3).await;
    world
        .state_becomes("all are settled", source_id, |state| state.note.rejected == 1 && state.note.accepted == 2)
        .await;
    let state = world.state(source_id).await;
    assert!(state.note.is_connected && state.note.last_message_at.is_some() && state.failing.is_none(), "{state:?}");
    assert_eq!(state.note.error.unwrap().0, "the body is not JSON");
    ingest.stop().await;
    let state = world.state(source_id).await;
    assert!(!state.note.is_connected, "told at the end: {state:?}");
    let again = world.ingest().await;
    again.connected(source_id).await;
    broker.publish("t", &[numbered(3)]).await;
    world.state_becomes("counts go on", source_id, |state| state.note.received == 4 && state.note.is_connected).await;
    world.delete(source_id).await;
    world
        .state_becomes("a source that is gone is forgotten", source_id, |state| *state == SourceState::default())
        .await;
    again.stop().await;
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_announced_once_until_it_can() {
    let (mut broker, world) = (Broker::start().await, World::new().await);
    world.want_meta_events().await;
    let source_id = world.source(&broker.source("t")).await;
    broker.stop().await;
    let instances = [world.ingest().await, world.ingest().await];
    world.state_becomes("it fails", source_id, |state| state.failing.is_some()).await;
    eventually("that is announced", SOON, async || !world.announced().await.is_empty()).await;
    let state = world.state(source_id).await;
    let [told] = &world.announced().await[..] else { panic!("once") };
    assert_eq!(told["uid"], json!(source_id.to_string()));
    assert_eq!((&told["reason"], &told["name"], &told["broker"]), (&json!("unreachable"), &json!("s"), &json!("mqtt")));
    assert!(told["error"].as_str().is_some_and(|error| !error.is_empty()), "{told}");
    assert_eq!(state.failing.unwrap().reason, "unreachable");
    let notified = world.queues.view(Notify::QUEUE).counts().await.unwrap();
    assert_eq!(notified.ready, 1, "its contacts as well");
    broker.resume().await;
    world
        .state_becomes("it fails no more", source_id, |state| state.failing.is_none() && state.note.is_connected)
        .await;
    assert_eq!(world.announced().await.len(), 1);
    broker.stop().await;
    eventually("the next failure is announced as well", SOON, async || world.announced().await.len() == 2).await;
    world.set_disabled(source_id, true).await;
    world.state_becomes("a disabled source fails no more", source_id, |state| state.failing.is_none()).await;
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test]
async fn a_source_that_refuses_everything_fails_until_a_message_becomes_an_event() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    eventually("it fails", SOON, async || {
        broker.publish("t", &["no json".to_owned()]).await;
        world.state(source_id).await.failing.is_some_and(|failing| failing.reason == "rejecting")
    })
    .await;
    assert!(world.announced().await.is_empty(), "the project has not asked for it");
    broker.publish("t", &[numbered(1)]).await;
    world.state_becomes("it fails no more", source_id, |state| state.failing.is_none()).await;
    ingest.stop().await;
}
