//! The master that Sentinels name. When a command shows that the server is lost, or is no master any more, the Sentinels
//! are asked again, and whoever tries next reaches the new one.

use std::sync::{Arc, Mutex, PoisonError};

use apalis_redis::{Client, ConnectionManager};
use redis::{ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time::timeout;

use super::{
    address::Sentinels,
    connection::{CONNECT_TIMEOUT, manager_config},
};

/// The current master, shared by all clones.
#[derive(Clone)]
pub(crate) struct Master(Arc<Shared>);

struct Shared {
    sentinels: Sentinels,
    current: Mutex<(ConnectionManager, ConnectionInfo)>,
    seeking: tokio::sync::Mutex<()>,
}

impl Master {
    pub(crate) async fn find(sentinels: Sentinels) -> RedisResult<Self> {
        let current = Mutex::new(connect(&sentinels).await?);
        Ok(Self(Arc::new(Shared { sentinels, current, seeking: tokio::sync::Mutex::new(()) })))
    }

    pub(crate) fn manager(&self) -> ConnectionManager {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The master's address, for connections that cannot be shared.
    pub(crate) fn info(&self) -> ConnectionInfo {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Looks for the master anew if `error` says that this server is not it. One search at a time; the others go on with
    /// what they have.
    pub(crate) async fn consider(&self, error: &RedisError) {
        if !is_lost(error) {
            return;
        }
        let Ok(_one) = self.0.seeking.try_lock() else { return };
        match connect(&self.0.sentinels).await {
            Ok(found) => *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = found,
            Err(error) => tracing::debug!(%error, "The Sentinels name no master that answers."),
        }
    }
}

fn is_lost(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}

/// A connection to the master by the first Sentinel whose answer holds.
async fn connect(sentinels: &Sentinels) -> RedisResult<(ConnectionManager, ConnectionInfo)> {
    let mut last = RedisError::from((ErrorKind::Client, "the Sentinels do not answer"));
    for sentinel in &sentinels.nodes {
        match timeout(CONNECT_TIMEOUT, ask(sentinel, sentinels)).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn ask(sentinel: &ConnectionInfo, sentinels: &Sentinels) -> RedisResult<(ConnectionManager, ConnectionInfo)> {
    let mut connection = Client::open(sentinel.clone())?.get_multiplexed_async_connection().await?;
    let mut which = redis::cmd("SENTINEL");
    which.arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinels.master);
    let Some((host, port)) = which.query_async::<Option<(String, u16)>>(&mut connection).await? else {
        return Err((ErrorKind::Client, "the Sentinels know no master of this name").into());
    };
    let info = sentinels.server_at(host, port);
    let mut manager = ConnectionManager::new_with_config(Client::open(info.clone())?, manager_config()).await?;
    // A Sentinel may be late; the server itself is asked too.
    let role: redis::Value = redis::cmd("ROLE").query_async(&mut manager).await?;
    match role {
        redis::Value::Array(parts)
            if parts
                .first()
                .is_some_and(|role| redis::from_redis_value_ref(role).is_ok_and(|role: String| role == "master")) =>
        {
            Ok((manager, info))
        }
        _ => Err((ErrorKind::Client, "the server that the Sentinels name is not a master yet").into()),
    }
}
