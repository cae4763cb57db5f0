//! Wakes an idle worker as soon as something is pushed, over a subscription of its own. Messages missed while the
//! subscription is down cost at most one poll interval.

use std::sync::Arc;

use futures::StreamExt as _;
use redis::RedisResult;
use tokio::time::{Duration, sleep, timeout};

use super::{connection::RESPONSE_TIMEOUT, hub::Hub, outage::Outage};

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Listens for as long as it is polled.
pub(crate) async fn listen(hub: Arc<Hub>) {
    let mut outage = Outage::new("Listening for new jobs", hub.queue);
    let mut pause = RETRY_MIN;
    loop {
        match timeout(RESPONSE_TIMEOUT, subscribe(&hub)).await {
            Ok(Ok(mut messages)) => {
                outage.succeeded();
                pause = RETRY_MIN;
                // What was pushed before we listened has woken nobody.
                hub.wake.notify_one();
                while messages.next().await.is_some() {
                    hub.wake.notify_one();
                }
                outage.failed(&"the connection ended");
            }
            Ok(Err(error)) => outage.failed(&error),
            Err(_) => outage.failed(&"no answer in time"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn subscribe(hub: &Hub) -> RedisResult<redis::aio::PubSubStream> {
    let (mut sink, stream) = hub.connection.link().pub_sub().await?.split();
    sink.subscribe(hub.keys.wake()).await?;
    Ok(stream)
}
