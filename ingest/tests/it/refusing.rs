//! What becomes of refused messages: they are kept, and read again when somebody asks for it.

use std::collections::BTreeMap;

use posthouse_jobs::EventTarget;
use posthouse_schema::{
    ids::{RejectedMessageId, SourceId},
    page::{Direction, PageRequest, Sort},
    rejected_message::{self, NewRejectedMessage, RejectedFilter, RejectedMessage},
};

use crate::{
    broker::{Broker, numbered},
    program::{SOON, eventually},
    world::World,
};

impl World {
    /// Keeps a refused message, as the worker does.
    async fn keep(&self, source_id: SourceId, payload: &str) -> RejectedMessageId {
        let new = NewRejectedMessage {
            project_id: self.project_id,
            id: RejectedMessageId::generate(),
            source_id,
            reason: "test".into(),
            detail: "of the test".into(),
            payload: payload.into(),
            payload_bytes: i64::try_from(payload.len()).unwrap(),
            metadata: BTreeMap::new(),
        };
        rejected_message::store(&mut self.pool.get().await.unwrap(), &new).await.unwrap();
        new.id
    }

    async fn kept(&self) -> Vec<RejectedMessage> {
        let page = PageRequest { per_page: 1_000, sort: Sort::Ascending, direction: Direction::Next, cursor: None };
        let mut conn = self.pool.get().await.unwrap();
        RejectedMessage::list(&mut conn, self.project_id, &RejectedFilter::default(), &page).await.unwrap().rows
    }

    async fn redrive(&self) -> usize {
        let mut conn = self.pool.get().await.unwrap();
        rejected_message::redrive_all(&mut conn, self.project_id, &RejectedFilter::default()).await.unwrap()
    }
}

#[tokio::test]
async fn a_refused_message_is_kept_with_its_reason_and_what_its_broker_says() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("orders/#")).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    let too_large = format!(r#"{{"event_type":"a","data":"{}"}}"#, "x".repeat(2 << 20));
    broker.publish("orders/eu", &["no json".to_owned(), too_large.clone()]).await;
    let rejected = world.wait_for_rejected(2).await;
    let seen: Vec<_> = rejected.iter().map(|job| (job.reason.as_str(), job.payload_bytes, job.payload.len())).collect();
    assert!(seen.contains(&("not_json", 7, 12)), "{seen:?}");
    assert!(seen.contains(&("too_large", too_large.len() as u64, (256 * 1024_usize).div_ceil(3) * 4)), "{seen:?}");
    for job in &rejected {
        assert_eq!((job.project_id, job.source_id), (world.project_id, source_id));
        let metadata = [("topic", "orders/eu"), ("qos", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(job.metadata, BTreeMap::from(metadata));
    }
    ingest.stop().await;
}

#[tokio::test]
async fn what_is_read_again_becomes_an_event_by_what_the_source_says_now() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    // Nobody has to consume it.
    world.set_disabled(source_id, true).await;
    let (good, plain, bad) = (
        world.keep(source_id, &numbered(1)).await,
        world.keep(source_id, "2").await,
        world.keep(source_id, "none").await,
    );
    let gone = world.keep(SourceId::generate(), &numbered(4)).await;
    let ingest = world.ingest().await;
    let function = "function transform(m) { return m.data ? m : {event_type: 'n', data: m, custom_headers: {'x-convoy-message-type': 'broadcast'}} }";
    world.set_functions(source_id, function, "").await;
    assert!(world.events().await.is_empty(), "nobody asked");
    assert_eq!(world.redrive().await, 4);
    let events = world.wait_for(2).await;
    assert!(events.iter().all(|event| event.target == EventTarget::Broadcast && event.source_id == Some(source_id)));
    assert_eq!(world.numbers().await, [1, 2]);
    eventually("what is refused again says so", SOON, async || {
        world.kept().await.iter().map(|row| row.redrive_count).eq([1, 1])
    })
    .await;
    let kept = world.kept().await;
    let reasons: Vec<_> = kept.iter().map(|row| (row.id, row.reason.as_str())).collect();
    assert!(reasons.len() == 2 && reasons.contains(&(bad, "not_json")) && reasons.contains(&(gone, "source_gone")));
    assert!(![good, plain].iter().any(|id| kept.iter().any(|row| row.id == *id)));
    assert!(kept.iter().all(|row| row.redrive_requested_at.is_none()));
    for (outcome, count) in [("accepted", 2.0), ("rejected", 2.0)] {
        assert_eq!(ingest.metric(&format!("ingest_redriven_total{{outcome=\"{outcome}\"")), Some(count));
    }
    ingest.stop().await;
}

/// Two instances share the work, and each message makes one event.
#[tokio::test]
async fn a_message_makes_one_event_however_many_instances_read() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let source_id = world.source(&broker.source("t")).await;
    for number in 0..60 {
        world.keep(source_id, &numbered(number)).await;
    }
    let instances = [world.ingest().await, world.ingest().await];
    assert_eq!((world.redrive().await, world.redrive().await), (60, 0), "what waits is not asked for twice");
    assert_eq!(world.wait_for_numbers(0..60, SOON).await.len(), 60);
    eventually("nothing is kept", SOON, async || world.kept().await.is_empty()).await;
    assert_eq!(world.events().await.len(), 60);
    for instance in instances {
        instance.stop().await;
    }
}
