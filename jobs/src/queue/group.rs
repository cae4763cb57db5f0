//! Shared round trips for single pushes: while a call to Redis is under way, the jobs that come meanwhile wait together
//! and go in the next. A push on an idle queue waits for nobody.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use redis::RedisError;
use tokio::sync::{mpsc, oneshot};

use super::{
    QueueError,
    connection::{CALL_LIMIT, Connection},
    keys::Keys,
    push::{PUSH_BYTES_MAX, Pushed, push_part},
};

/// Most jobs in one shared call.
const GROUP_MAX: usize = 500;
/// Pushes that may wait for the next call of their queue; the others wait for a place.
const WAITING_MAX: usize = 2_000;

type Answer = Result<bool, RedisError>;
type Waiting = (Pushed, oneshot::Sender<Answer>);

/// One task per queue that has pushed; it ends with the last clone of its [`super::Queues`].
#[derive(Default)]
pub(crate) struct Groups {
    queues: Mutex<HashMap<&'static str, mpsc::Sender<Waiting>>>,
}

impl Groups {
    pub(crate) async fn push(
        &self,
        connection: &Connection,
        prefix: &str,
        queue: &'static str,
        pushed: Pushed,
    ) -> Result<bool, QueueError> {
        let group = self.group(connection, prefix, queue);
        let (answer, answered) = oneshot::channel();
        // Both channels close only when the runtime that ran the task is gone, and with it the caller's time.
        let gone = |_| QueueError::Timeout(CALL_LIMIT);
        group.send((pushed, answer)).await.map_err(|_| gone(()))?;
        Ok(answered.await.map_err(|_| gone(()))??)
    }

    fn group(&self, connection: &Connection, prefix: &str, queue: &'static str) -> mpsc::Sender<Waiting> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        match queues.get(queue) {
            Some(group) if !group.is_closed() => group.clone(),
            _ => {
                let (group, waiting) = mpsc::channel(WAITING_MAX);
                tokio::spawn(push_groups(connection.clone(), Keys::new(prefix, queue), waiting));
                queues.insert(queue, group.clone());
                group
            }
        }
    }
}

async fn push_groups(connection: Connection, keys: Keys, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some((first, answer)) = waiting.recv().await {
        let mut bytes = first.frame.len();
        let (mut part, mut answers) = (vec![first], vec![answer]);
        while part.len() < GROUP_MAX && bytes < PUSH_BYTES_MAX {
            let Ok((next, answer)) = waiting.try_recv() else { break };
            bytes += next.frame.len();
            part.push(next);
            answers.push(answer);
        }
        let pushed = push_part(&connection, &keys, &part).await;
        match pushed {
            Ok(new) => answers.into_iter().zip(new).for_each(|(answer, new)| reply(answer, Ok(new))),
            // A dropped answer is a timeout to the caller, whose own limit has passed by now.
            Err(QueueError::Redis(error)) => answers.into_iter().for_each(|answer| reply(answer, Err(error.clone()))),
            Err(_) => {}
        }
    }
}

fn reply(answer: oneshot::Sender<Answer>, with: Answer) {
    // A caller that gave up has dropped its end.
    drop(answer.send(with));
}
