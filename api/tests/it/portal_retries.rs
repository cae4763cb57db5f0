//! Sending again from the portal: everything that failed, and an event as a whole.

use posthouse_jobs::{ReplayEvent, RunBatch};
use posthouse_schema::words::DeliveryStatus;
use serde_json::{Value, json};

use crate::{
    dashboard::{location, text},
    dashboard_audit::{PORTAL_RETRIES, assert_left},
    harness::Api,
    portal_pages::{Reader, link},
};

#[tokio::test]
async fn what_failed_is_retried_together_and_an_event_replayed() {
    let api = Api::start().await;
    let link = link(&api, json!({})).await;
    let endpoint = async |owner: &str| {
        api.post("endpoints", json!({"name": "e", "url": "https://example.com", "owner_id": owner})).await.uid()
    };
    let (mine, other) = (endpoint("ada").await, endpoint("bob").await);
    let (event, _) = api.stored(&mine, "", DeliveryStatus::Failure).await;
    api.stored(&mine, "", DeliveryStatus::Discarded).await;
    api.stored(&mine, "", DeliveryStatus::Success).await;
    let (of_other, _) = api.stored(&other, "", DeliveryStatus::Failure).await;
    let readers = [Reader::with_cookie(&api, &link).await, Reader::without_cookie(&api, &link).await];
    for (n, reader) in readers.iter().enumerate() {
        let list = reader.page("/deliveries?status=Failure").await;
        assert!(list.contains("/deliveries/retry?status=Failure"), "{list}");
        for (rest, expected) in [
            ("/deliveries/retry", "Retry 2<"),
            ("/deliveries/retry?status=Failure&startDate=2026-01-01T10:00", "Retry 1<"),
            ("/deliveries/retry?status=Success", "No delivery that matches has failed"),
            ("/deliveries/retry?status=Nonsense", "role=\"alert\""),
        ] {
            let page = reader.page(rest).await;
            assert!(page.contains(expected), "{rest}: {page}");
        }
        let asked = "/deliveries/retry?status=Failure&status=Discarded";
        let begun = reader.submit(asked, "/deliveries/retry", &[]).await;
        assert!(location(&begun).contains("status=Failure&status=Discarded"), "{}", location(&begun));
        assert!(reader.follow(&begun).await.contains("They are tried again in the background."));
        assert_eq!(api.queued::<RunBatch>().await.len(), n + 1);
        let twice = reader.submit(asked, "/deliveries/retry", &[]).await;
        assert!(twice.status == 422 && text(&twice).contains("being retried already"), "{}", twice.body);
        let batch = api.get("batches").await.data()["content"][0]["uid"].as_str().unwrap().to_string();
        assert_eq!(api.post(&format!("batches/{batch}/cancel"), Value::Null).await.status, 200);

        let replayed = reader.submit(&format!("/events/{event}"), "/replay", &[]).await;
        assert!(reader.follow(&replayed).await.contains("The event is replayed."));
        assert_eq!(api.queued::<ReplayEvent>().await.len(), n + 1);
    }
    let csrf = readers[0].csrf().await;
    let refused = readers[0].post(&format!("/events/{of_other}/replay"), &[("csrf", &csrf)]).await;
    assert_eq!(refused.status, 404, "{}", refused.body);
    // What is for everyone would reach others.
    api.database.run("UPDATE events SET target_kind = 'broadcast', target = ''").await;
    let refused = readers[0].submit(&format!("/events/{event}"), "/replay", &[]).await;
    assert!(refused.status == 422 && text(&refused).contains("not for your endpoints alone"), "{}", refused.body);
    assert_eq!(api.queued::<ReplayEvent>().await.len(), readers.len());
    assert_left(&api, PORTAL_RETRIES).await;
    api.close().await;
}
