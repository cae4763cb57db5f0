//! Asking ingest whether a source's broker can be read: the API has neither the clients nor, often, a way to the broker. A
//! request lies in Redis until one instance takes it; the answer lies there for whoever asked. Both are gone after a moment,
//! since a request may hold settings that are stored nowhere yet. They are sealed as those that are stored.

use std::time::Duration;

use posthouse_schema::{
    ids::{ProjectId, SourceId},
    sealed::{Place, Sealed, Unopened},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use super::{QueueError, Queues};

/// How long a request waits for an instance, and an answer for whoever asked.
const KEPT: Duration = Duration::from_secs(30);

/// Asks to try a source's broker. `Debug` does not print its settings.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionTest {
    /// Names the request.
    pub id: String,
    /// The project.
    pub project_id: ProjectId,
    /// The source; of one that is not stored, the id that it would have.
    pub source_id: SourceId,
    /// Its settings, as `jsonb` has them: a string where they are sealed. What is in Redis has to be the same when the
    /// request is taken back, so they are sealed once.
    pub_sub: Option<Value>,
}

impl ConnectionTest {
    /// A new request: to try these settings; `None`: as they are stored.
    ///
    /// # Errors
    /// [`QueueError::Encode`].
    pub fn new(project_id: ProjectId, source_id: SourceId, pub_sub: Option<&Value>) -> Result<Self, QueueError> {
        let id = Ulid::generate().to_string();
        let sealed = |settings: &Value| Sealed::seal(settings, &place(&id)).to_json();
        let pub_sub = pub_sub.map(sealed).transpose().map_err(QueueError::Encode)?;
        Ok(Self { id, project_id, source_id, pub_sub })
    }

    /// The settings to try; `None`: as they are stored.
    ///
    /// # Errors
    /// This process cannot open them.
    pub fn pub_sub(&self) -> Result<Option<Value>, Unopened> {
        let opened = |stored: &Value| Sealed::of_json(stored.clone()).open(&place(&self.id));
        self.pub_sub.as_ref().map(opened).transpose()
    }
}

fn place(id: &str) -> Place {
    Place::named("connection_tests.pub_sub", id)
}

impl std::fmt::Debug for ConnectionTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionTest")
            .field("id", &self.id)
            .field("source_id", &self.source_id)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionTestResult {
    /// The step that failed, in a word; `None`: none did.
    pub failed_step: Option<String>,
    /// Why, for the source's owner.
    pub reason: Option<String>,
    /// What its owner may want to know although it works.
    pub notes: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionTestState {
    /// No instance has taken it.
    Waiting,
    /// One is at it.
    Taken,
    /// It is done.
    Done(ConnectionTestResult),
}

impl Queues {
    /// Asks.
    ///
    /// # Errors
    /// [`QueueError::Encode`]; [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn ask_connection_test(&self, test: &ConnectionTest) -> Result<(), QueueError> {
        let (key, request) = (self.tests_key(), encoded(test)?);
        let mut pipeline = redis::pipe();
        pipeline.cmd("RPUSH").arg(&key).arg(request).ignore();
        pipeline.cmd("PEXPIRE").arg(&key).arg(millis(KEPT)).ignore();
        self.connection.ask(&pipeline).await
    }

    /// Takes the next request, so that nobody else does. One that cannot be read is passed over.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn take_connection_test(&self) -> Result<Option<ConnectionTest>, QueueError> {
        let (request,): (Option<Vec<u8>>,) =
            self.connection.ask(redis::pipe().cmd("LPOP").arg(self.tests_key())).await?;
        let Some(test) = request.and_then(|request| serde_json::from_slice::<ConnectionTest>(&request).ok()) else {
            return Ok(None);
        };
        self.note_connection_test(&test.id, &ConnectionTestState::Taken).await?;
        Ok(Some(test))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`QueueError::Encode`]; [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn answer_connection_test(&self, id: &str, result: ConnectionTestResult) -> Result<(), QueueError> {
        self.note_connection_test(id, &ConnectionTestState::Done(result)).await
    }

    /// How far a request has come.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn connection_test_state(&self, id: &str) -> Result<ConnectionTestState, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(self.test_key(id));
        let (state,): (Option<Vec<u8>>,) = self.connection.ask(&pipeline).await?;
        let state = state.and_then(|state| serde_json::from_slice(&state).ok());
        Ok(state.unwrap_or(ConnectionTestState::Waiting))
    }

    /// Takes a request back. `false`: an instance has it.
    ///
    /// # Errors
    /// As [`Queues::ask_connection_test`].
    pub async fn withdraw_connection_test(&self, test: &ConnectionTest) -> Result<bool, QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("LREM").arg(self.tests_key()).arg(1).arg(encoded(test)?);
        let (removed,): (bool,) = self.connection.ask(&pipeline).await?;
        Ok(removed)
    }

    async fn note_connection_test(&self, id: &str, state: &ConnectionTestState) -> Result<(), QueueError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(self.test_key(id)).arg(encoded(state)?).arg("PX").arg(millis(KEPT)).ignore();
        self.connection.ask(&pipeline).await
    }

    fn tests_key(&self) -> String {
        format!("{{{}:connection_tests}}:asked", self.prefix)
    }

    fn test_key(&self, id: &str) -> String {
        format!("{{{}:connection_tests}}:state:{id}", self.prefix)
    }
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, QueueError> {
    serde_json::to_vec(value).map_err(QueueError::Encode)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_key_a_request_is_what_it_was_before_there_were_keys() {
        let settings = json!({"type": "mqtt", "mqtt": {"host": "mq.example.com"}});
        let test = ConnectionTest::new(ProjectId::NONE, SourceId::generate(), Some(&settings)).unwrap();
        let stored = serde_json::to_value(&test).unwrap();
        assert_eq!(stored["pub_sub"], settings);
        assert_eq!(serde_json::from_value::<ConnectionTest>(stored).unwrap().pub_sub(), Ok(Some(settings)));
        let as_stored = ConnectionTest::new(ProjectId::NONE, SourceId::generate(), None).unwrap();
        assert_eq!(as_stored.pub_sub(), Ok(None));
    }
}
