//! Wakes whoever waits as soon as something happens, over a subscription of its own: an idle worker when something is pushed,
//! ingest when sources change. Messages missed while the subscription is down cost at most one poll interval.

use std::{convert::Infallible, sync::Arc};

use futures::StreamExt as _;
use redis::RedisResult;
use tokio::{
    sync::Notify,
    time::{Duration, sleep, timeout},
};

use super::{
    connection::{Connection, RESPONSE_TIMEOUT},
    hub::Hub,
    outage::Outage,
};

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Listens for new jobs, for as long as it is polled.
pub(crate) async fn listen(hub: Arc<Hub>) {
    let outage = Outage::new("Listening for new jobs", hub.queue);
    match wake_at(&hub.connection, &hub.keys.wake(), &hub.wake, outage).await {}
}

/// Listens on a channel for as long as it is polled.
pub(crate) async fn wake_at(connection: &Connection, channel: &str, wake: &Notify, mut outage: Outage) -> Infallible {
    let mut pause = RETRY_MIN;
    loop {
        match timeout(RESPONSE_TIMEOUT, subscribe(connection, channel)).await {
            Ok(Ok(mut messages)) => {
                outage.succeeded();
                pause = RETRY_MIN;
                // What was said before we listened has woken nobody.
                wake.notify_one();
                while messages.next().await.is_some() {
                    wake.notify_one();
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

async fn subscribe(connection: &Connection, channel: &str) -> RedisResult<redis::aio::PubSubStream> {
    let (mut sink, stream) = connection.link().pub_sub().await?.split();
    sink.subscribe(channel).await?;
    Ok(stream)
}
