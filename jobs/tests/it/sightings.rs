//! Messages that come again have the ids that they had.

use posthouse_jobs::queue::{Sighting, testing::TestQueues};
use posthouse_schema::ids::SourceId;

fn sighting(name: u32, id: u128) -> Sighting {
    let mut bytes = [0xff; 16];
    bytes[..4].copy_from_slice(&name.to_be_bytes());
    Sighting { name: bytes, id, is_first: false }
}

#[tokio::test]
async fn a_message_that_comes_again_has_the_id_that_it_had() {
    let (queues, source) = (TestQueues::new().await, SourceId::generate());
    let seen = [sighting(1, 11), sighting(2, 12)];
    assert_eq!(queues.recognise(source, &seen).await.unwrap(), [11, 12]);
    let again = [sighting(3, 23), sighting(2, 22), sighting(1, u128::MAX), sighting(3, 24)];
    assert_eq!(queues.recognise(source, &again).await.unwrap(), [23, 12, 11, 23], "in one call as well");
    let other = SourceId::generate();
    assert_eq!(queues.recognise(other, &[sighting(1, 31)]).await.unwrap(), [31], "another source's are its own");
    // A publisher that calls several messages by one name.
    let first = Sighting { is_first: true, ..sighting(1, 41) };
    assert_eq!(queues.recognise(source, &[first]).await.unwrap(), [41]);
    assert_eq!(queues.recognise(source, &[sighting(1, 51)]).await.unwrap(), [41], "the last with that name");
    assert!(queues.recognise(source, &[]).await.unwrap().is_empty());
    queues.close().await;
}

/// What is remembered has a bound, and one that is far above what a broker has under way.
#[tokio::test]
async fn the_newest_names_are_remembered() {
    let (queues, source) = (TestQueues::new().await, SourceId::generate());
    let sightings = |from: u32| (from..from + 1_000).map(|name| sighting(name, name.into())).collect::<Vec<_>>();
    for from in (0..50_000).step_by(1_000) {
        queues.recognise(source, &sightings(from)).await.unwrap();
    }
    let again = [sighting(49_999, 1), sighting(30_000, 2), sighting(0, 3)];
    assert_eq!(queues.recognise(source, &again).await.unwrap(), [49_999, 30_000, 3]);
    queues.close().await;
}
