//! One connection for all callers, whatever Redis it leads to. It reconnects by itself.

use apalis_redis::{Client, ConnectionManager};
use redis::{
    Cmd, ConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, PubSub},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
};

use super::{
    address::{Address, tcp_settings},
    connection::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT, manager_config},
    sentinel::Master,
};

/// Cheap to clone; the clones share one multiplexed connection, or one for each node of a Cluster.
#[derive(Clone)]
pub(crate) enum Link {
    Single(ConnectionManager, Box<ConnectionInfo>),
    Cluster(ClusterConnection, Vec<ConnectionInfo>),
    Sentinel(Master),
}

impl Link {
    pub(crate) async fn open(address: Address) -> RedisResult<Self> {
        match address {
            Address::Single(info) => {
                let client = Client::open(info.clone())?;
                Ok(Self::Single(ConnectionManager::new_with_config(client, manager_config()).await?, Box::new(info)))
            }
            Address::Cluster(nodes, certificates) => {
                let mut builder = ClusterClientBuilder::new(nodes.clone())
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(RESPONSE_TIMEOUT)
                    .tcp_settings(tcp_settings());
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                let client = builder.build()?;
                Ok(Self::Cluster(client.get_async_connection().await?, nodes))
            }
            Address::Sentinel(sentinels) => Ok(Self::Sentinel(Master::find(sentinels).await?)),
        }
    }

    /// A connection of its own, for a subscription. In a Cluster any node will do: they tell each other.
    pub(crate) async fn pub_sub(&self) -> RedisResult<PubSub> {
        match self {
            Self::Single(_, info) => Client::open((**info).clone())?.get_async_pubsub().await,
            Self::Sentinel(master) => Client::open(master.info())?.get_async_pubsub().await,
            Self::Cluster(_, nodes) => {
                let mut last = None;
                for node in nodes {
                    match Client::open(node.clone())?.get_async_pubsub().await {
                        Ok(pub_sub) => return Ok(pub_sub),
                        Err(error) => last = Some(error),
                    }
                }
                Err(last.unwrap_or_else(|| (redis::ErrorKind::Client, "the Cluster has no node").into()))
            }
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(manager, _) => manager.req_packed_command(cmd),
            Self::Cluster(cluster, _) => cluster.req_packed_command(cmd),
            Self::Sentinel(master) => Box::pin(async move {
                let answer = master.manager().req_packed_command(cmd).await;
                if let Err(error) = &answer {
                    master.consider(error).await;
                }
                answer
            }),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(manager, _) => manager.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster, _) => cluster.req_packed_commands(pipeline, offset, count),
            Self::Sentinel(master) => Box::pin(async move {
                let answer = master.manager().req_packed_commands(pipeline, offset, count).await;
                if let Err(error) = &answer {
                    master.consider(error).await;
                }
                answer
            }),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(manager, _) => manager.get_db(),
            Self::Cluster(cluster, _) => cluster.get_db(),
            Self::Sentinel(master) => master.manager().get_db(),
        }
    }
}
