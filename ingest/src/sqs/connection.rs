//! One receiver: it waits for messages, hides them from others for as long as they are worked on, and deletes them. The
//! service knows no connections, so a request that fails is the end of one.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry},
};
use futures::future::{join_all, try_join_all};
use posthouse_broker_settings::SqsSettings;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    client::{client, words},
    message::{SAID, message},
};
use crate::broker::{Answer, Link, Message, Problem, Step};

/// Most messages of one request, by the service's own rule.
const REQUEST_MAX: usize = 10;
/// How many requests follow at once on one that came back full.
const MORE: usize = 4;
/// How long a request waits for a message: the longest that the service allows.
pub(super) const WAITS: Duration = Duration::from_secs(20);
/// How long a request that has begun may go on when the source is to stop: what it brings would stay hidden.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How often messages that the service failed to delete are tried, and the wait between.
const DELETE_TRIES: usize = 4;
const DELETE_PAUSE: Duration = Duration::from_millis(500);

/// A receiver of a queue.
pub struct Connection {
    client: Client,
    queue_url: String,
    is_fifo: bool,
    hidden_for: Duration,
    held_at: Instant,
}

impl Connection {
    pub(super) async fn open(settings: &SqsSettings) -> Result<Self, String> {
        let client = client(settings)?;
        let queue_url = find_queue(settings, &client).await.map_err(|problem| problem.reason)?;
        Ok(Self {
            client,
            queue_url,
            is_fifo: settings.is_fifo(),
            hidden_for: settings.redeliver_after,
            held_at: Instant::now(),
        })
    }

    /// At most ten messages, which nobody else is given from now on.
    async fn ask(&self, waits: Duration) -> Result<Vec<Message<String>>, String> {
        let mut asked = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(int(REQUEST_MAX))
            .wait_time_seconds(seconds(waits))
            .visibility_timeout(seconds(self.hidden_for))
            .message_attribute_names("All");
        for (name, _) in SAID {
            asked = asked.message_system_attribute_names(name);
        }
        let answer = asked.send().await.map_err(|error| words(&error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    /// Deletes these messages, again where the service itself failed at some of them.
    async fn delete(&self, receipts: &[String]) -> Result<(), String> {
        let mut open: Vec<&String> = receipts.iter().collect();
        for tried in 1.. {
            let entries = open.iter().enumerate().map(|(at, receipt)| {
                DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(*receipt).build()
            });
            let entries = entries.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            let deleted = self.client.delete_message_batch().queue_url(&self.queue_url).set_entries(Some(entries));
            let failed = deleted.send().await.map_err(|error| words(&error))?.failed;
            let again = worth_another_try(&failed);
            open = again.into_iter().filter_map(|at| open.get(at).copied()).collect();
            if open.is_empty() {
                return Ok(());
            }
            if tried >= DELETE_TRIES {
                break;
            }
            sleep(DELETE_PAUSE).await;
        }
        Err(format!("the service does not delete {} of its messages; they come again", open.len()))
    }

    /// Hides these messages for the whole time from now on.
    async fn hide(&self, receipts: &[&String]) -> Result<(), String> {
        let entries = receipts.iter().enumerate().map(|(at, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(at.to_string())
                .receipt_handle(*receipt)
                .visibility_timeout(seconds(self.hidden_for))
                .build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let hidden = self.client.change_message_visibility_batch().queue_url(&self.queue_url);
        let failed = hidden.set_entries(Some(entries)).send().await.map_err(|error| words(&error))?.failed;
        if !failed.is_empty() {
            tracing::debug!(count = failed.len(), "Messages could not be kept hidden; they come again.");
        }
        Ok(())
    }
}

impl Link for Connection {
    type Tag = String;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<String>>, String> {
        let mut messages = Vec::new();
        while messages.is_empty() {
            if stop.is_cancelled() {
                return Ok(messages);
            }
            let mut asked = Box::pin(self.ask(WAITS));
            messages = tokio::select! {
                biased;
                asked = &mut asked => asked?,
                () = stop.cancelled() => timeout(STOP_GRACE, asked).await.unwrap_or_else(|_| Ok(Vec::new()))?,
            };
        }
        self.held_at = Instant::now();
        // One after the other, a queue that keeps the sequence keeps it here too.
        if messages.len() == REQUEST_MAX && !self.is_fifo && !stop.is_cancelled() {
            let more = join_all((0..MORE).map(|_| self.ask(Duration::ZERO))).await;
            // One that failed fails again, and is seen then.
            messages.extend(more.into_iter().flatten().flatten());
        }
        Ok(messages)
    }

    async fn hold(&mut self, answers: &[(String, Answer)]) -> Result<(), String> {
        if self.held_at.elapsed() < self.hidden_for / 3 {
            return Ok(());
        }
        self.held_at = Instant::now();
        let receipts: Vec<&String> = answers.iter().map(|(receipt, _)| receipt).collect();
        try_join_all(receipts.chunks(REQUEST_MAX).map(|receipts| self.hide(receipts))).await.map(drop)
    }

    /// Refused messages are deleted too: they are kept elsewhere by now.
    async fn settle(&mut self, answers: Vec<(String, Answer)>) -> Result<(), String> {
        let receipts: Vec<String> = answers.into_iter().map(|(receipt, _)| receipt).collect();
        try_join_all(receipts.chunks(REQUEST_MAX).map(|receipts| self.delete(receipts))).await.map(drop)
    }

    async fn close(self) {}
}

/// Signs in and finds the queue.
pub(super) async fn check(settings: &SqsSettings) -> Result<Vec<String>, Problem> {
    let client = client(settings).map_err(|reason| Problem::at(Step::Settings, reason))?;
    find_queue(settings, &client).await.map(|_| Vec::new())
}

async fn find_queue(settings: &SqsSettings, client: &Client) -> Result<String, Problem> {
    let asked = client.get_queue_url().queue_name(&settings.queue);
    let found = asked.set_queue_owner_aws_account_id(settings.account.clone()).send().await;
    let found = found.map_err(|error| Problem::at(step_of(error.code()), words(&error)))?.queue_url;
    found.ok_or_else(|| Problem::at(Step::Open, "the service does not say where the queue is"))
}

/// Where it ended, by the service's code; none: it never answered.
fn step_of(code: Option<&str>) -> Step {
    match code {
        None => Step::Connect,
        Some(code) if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") => Step::Open,
        Some(code) if code.starts_with("AccessDenied") => Step::Open,
        Some(_) => Step::SignIn,
    }
}

/// The entries at which the service itself failed. One whose receipt is too old is given to somebody again, whatever is done.
fn worth_another_try(failed: &[BatchResultErrorEntry]) -> Vec<usize> {
    let (old, again): (Vec<_>, Vec<_>) = failed.iter().partition(|entry| entry.sender_fault());
    if let Some(entry) = old.first() {
        tracing::debug!(code = entry.code(), count = old.len(), "Messages could not be deleted; they come again.");
    }
    again.into_iter().filter_map(|entry| entry.id().parse().ok()).collect()
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_refusal_says_where_it_ended() {
        for (code, step) in [
            (None, Step::Connect),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), Step::Open),
            (Some("QueueDoesNotExist"), Step::Open),
            (Some("AccessDeniedException"), Step::Open),
            (Some("InvalidClientTokenId"), Step::SignIn),
            (Some("SignatureDoesNotMatch"), Step::SignIn),
        ] {
            assert_eq!(step_of(code), step, "{code:?}");
        }
    }

    #[test]
    fn only_what_the_service_failed_at_is_tried_again() {
        let entry = |id: &str, is_ours: bool| {
            let entry = BatchResultErrorEntry::builder().id(id).sender_fault(is_ours).code("InternalError");
            entry.build().unwrap()
        };
        assert_eq!(worth_another_try(&[entry("0", true), entry("3", false), entry("x", false)]), [3]);
        assert!(worth_another_try(&[]).is_empty());
    }
}
