//! Calls to Redis. Every wait is bounded.

use std::time::Duration;

use redis::{FromRedisValue, Pipeline, TlsCertificates, aio::ConnectionManagerConfig};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

use super::{
    QueueError,
    address::Address,
    link::Link,
    meter::{Meter, Metered},
    script::Call,
};

/// Longest wait for an answer. The library's default of 500 ms ends healthy workers when Redis is busy for a moment.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait of a caller who pushes or reads, with all retries.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(3);
const RETRY_PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Connection {
    link: Link,
    pub(crate) meter: Meter,
}

/// How a connection to one server waits and comes back.
pub(crate) fn manager_config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_number_of_retries(1)
        .set_min_delay(RETRY_PAUSE)
        .set_max_delay(RETRY_PAUSE)
}

impl Connection {
    pub(crate) async fn open(url: &str, certificates: &TlsCertificates) -> Result<Self, QueueError> {
        let opening = Link::open(Address::parse(url, certificates)?);
        let link = timeout(CALL_LIMIT, opening).await.map_err(|_| QueueError::Timeout(CALL_LIMIT))??;
        Ok(Self { link, meter: Meter::new() })
    }

    /// A handle for commands whose caller decides about trying again.
    pub(crate) fn link(&self) -> Metered {
        self.meter.over(self.link.clone())
    }

    /// Runs a script within [`CALL_LIMIT`]. A connection that is lost is tried again meanwhile, so the script must bear
    /// being run twice.
    pub(crate) async fn call<T: FromRedisValue>(&self, call: &Call) -> Result<T, QueueError> {
        let again = Again::new();
        let mut connection = self.link();
        loop {
            if let Some(answer) =
                again.after(tokio::time::timeout_at(again.deadline, call.run(&mut connection)).await).await
            {
                return answer;
            }
        }
    }

    /// Reads by a pipeline within [`CALL_LIMIT`], again when the connection is lost.
    pub(crate) async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, QueueError> {
        let again = Again::new();
        let mut connection = self.link();
        loop {
            let tried = tokio::time::timeout_at(again.deadline, pipeline.query_async(&mut connection)).await;
            if let Some(answer) = again.after(tried).await {
                return answer;
            }
        }
    }
}

/// How long one call may still be tried.
struct Again {
    deadline: Instant,
}

impl Again {
    fn new() -> Self {
        Self { deadline: Instant::now() + CALL_LIMIT }
    }

    /// The answer of a try, or `None`, after a pause, when another one may succeed.
    async fn after<T>(&self, tried: Result<redis::RedisResult<T>, Elapsed>) -> Option<Result<T, QueueError>> {
        match tried {
            Err(_) => Some(Err(QueueError::Timeout(CALL_LIMIT))),
            Ok(Err(error)) if may_pass(&error) && Instant::now() + RETRY_PAUSE < self.deadline => {
                sleep(RETRY_PAUSE).await;
                None
            }
            Ok(answer) => Some(answer.map_err(QueueError::from)),
        }
    }
}

/// Whether the same command may succeed a moment later: the connection was lost, or Redis is starting or changing its
/// master.
fn may_pass(error: &redis::RedisError) -> bool {
    use redis::{ErrorKind, ServerErrorKind as Kind};
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_cluster_error()
        || matches!(error.kind(), ErrorKind::Server(Kind::BusyLoading | Kind::ReadOnly | Kind::MasterDown))
}
