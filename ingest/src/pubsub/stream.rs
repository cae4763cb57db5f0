//! The stream by which messages come. The service ends each one after a while and expects the next; one that it ends at once,
//! or for any other reason, is the end of the connection.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use googleapis_tonic_google_pubsub_v1::google::pubsub::v1::{ReceivedMessage, StreamingPullRequest};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::service::{Service, seconds, words};

/// Most messages, and their bytes, that the service sends without an answer.
pub(super) const OUTSTANDING_MAX: u16 = 500;
const OUTSTANDING_BYTES_MAX: i64 = 32 * 1024 * 1024;
/// How often we say that we are there; the service ends a stream that is silent for longer.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// A stream that lasted this long was a good one, and another is opened in its place.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// Hands on what comes, and at last why nothing more does. Ends as well when nobody listens. After `leave` no more is asked for,
/// and what is still on its way is handed on until the service ends the stream.
pub(super) async fn run(
    service: Service,
    arrivals: mpsc::Sender<Result<ReceivedMessage, String>>,
    leave: CancellationToken,
) {
    loop {
        let opened = Instant::now();
        let end = Box::pin(read(&service, &arrivals, &leave)).await;
        let error = match end {
            Ok(()) => return,
            Err(_) if leave.is_cancelled() => return,
            Err(status) if is_usual(&status) && opened.elapsed() >= GOOD_AFTER => continue,
            Err(status) => words(&status),
        };
        if arrivals.send(Err(error)).await.is_err() {
            tracing::debug!("Nobody listens to the stream any more.");
        }
        return;
    }
}

/// One stream, from its beginning to its end. `Ok`: nobody listens.
async fn read(
    service: &Service,
    arrivals: &mpsc::Sender<Result<ReceivedMessage, String>>,
    leave: &CancellationToken,
) -> Result<(), Status> {
    let first = StreamingPullRequest {
        subscription: service.subscription.clone(),
        stream_ack_deadline_seconds: seconds(service.lease),
        max_outstanding_messages: OUTSTANDING_MAX.into(),
        max_outstanding_bytes: OUTSTANDING_BYTES_MAX,
        ..StreamingPullRequest::default()
    };
    let signs = stream::unfold((), |()| async {
        sleep(SIGN_OF_LIFE).await;
        Some((StreamingPullRequest::default(), ()))
    });
    // Our end of the stream ends with this call. The client library keeps a stream open for as long as there may be something to
    // send, also when nobody reads it any more: the service would go on sending messages to nobody.
    let is_over = leave.child_token();
    let _ends_with_us = is_over.clone().drop_guard();
    let requests = stream::iter([first]).chain(signs.take_until(is_over.cancelled_owned()));
    let mut stream = service.client.clone().streaming_pull(requests).await?.into_inner();
    while let Some(response) = stream.message().await? {
        for message in response.received_messages {
            if arrivals.send(Ok(message)).await.is_err() {
                return Ok(());
            }
        }
    }
    Err(Status::unavailable("the service ended the stream"))
}

/// How the service ends a stream that it expects to be opened again.
fn is_usual(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::Aborted)
}
