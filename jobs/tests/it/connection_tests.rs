//! Settings of brokers on their way to ingest: sealed, and gone when they are read.

use posthouse_jobs::queue::{ConnectionTest, testing::TestQueues};
use posthouse_schema::{
    ids::{ProjectId, SourceId},
    sealed::{self, Keys},
};
use serde_json::json;

const KEY: &str = "first:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Everything in Redis that is about tests of connections.
async fn stored(queues: &TestQueues) -> Vec<String> {
    let client = redis::Client::open(queues.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut all = Vec::new();
    for key in queues.keys().await.into_iter().filter(|key| key.ends_with(":asked")) {
        let listed: Vec<String> =
            redis::cmd("LRANGE").arg(key).arg(0).arg(-1).query_async(&mut connection).await.unwrap();
        all.extend(listed);
    }
    all
}

#[tokio::test]
async fn settings_to_try_are_sealed_in_redis_and_gone_when_they_are_read() {
    sealed::install(Keys::parse(KEY).unwrap());
    let queues = TestQueues::new().await;
    let settings = json!({"type": "mqtt", "mqtt": {"auth": {"username": "u", "password": "hunter2-of-the-broker"}}});
    let new = || ConnectionTest::new(ProjectId::generate(), SourceId::generate(), Some(&settings)).unwrap();
    let (asked, withdrawn) = (new(), new());
    queues.ask_connection_test(&asked).await.unwrap();
    queues.ask_connection_test(&withdrawn).await.unwrap();
    let lies = stored(&queues).await;
    assert_eq!(lies.len(), 2);
    assert!(lies.iter().all(|text| text.contains("sealed:v1:first:") && !text.contains("hunter2")), "{lies:?}");
    assert!(queues.withdraw_connection_test(&withdrawn).await.unwrap(), "it is found again, sealed as it is");
    let taken = queues.take_connection_test().await.unwrap().unwrap();
    assert_eq!((taken.id.as_str(), taken.pub_sub()), (asked.id.as_str(), Ok(Some(settings.clone()))));
    assert_eq!(stored(&queues).await, Vec::<String>::new());
    // A request of another id does not open what is this one's.
    let mut moved = serde_json::to_value(&asked).unwrap();
    moved["id"] = json!(withdrawn.id);
    assert!(serde_json::from_value::<ConnectionTest>(moved).unwrap().pub_sub().is_err());
    assert!(!format!("{asked:?}").contains("sealed:"));
    queues.close().await;
}
