//! The API's process: connections, listeners, and an orderly end.

use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use posthouse_jobs::Queues;
use posthouse_schema::{migrations, pool, pool::Pool};
use posthouse_service::{probes::Checks, start};
use salvo::{conn::TcpListener, prelude::*};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{ApiSettings, App},
    board,
    config::Config,
    router,
};

/// Serves until `shutdown`, and then until the requests under way are answered.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let pool = database(&config).await?;
    let queues = queues(&config).await?;
    let app = App::new(
        pool.clone(),
        queues.clone(),
        checks(&pool, &queues),
        ApiSettings { body_bytes_max: config.body_bytes_max },
    );
    let acceptor = TcpListener::new(config.listen)
        .try_bind()
        .await
        .with_context(|| format!("{} cannot be bound", config.listen))?;
    let server = Server::new(acceptor);
    let (board, board_service) = board::bind(config.board_listen, Arc::clone(&app)).await?;
    let (handle, board_handle) = (server.handle(), board.handle());
    let drain = config.process.drain_timeout;
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop_graceful(Some(drain));
        board_handle.stop_graceful(Some(drain));
    });
    tracing::info!(listen = %config.listen, board = %config.board_listen, "The API takes requests.");
    tokio::try_join!(server.try_serve(router::service(app)), board.try_serve(board_service))?;
    tracing::info!("The API has stopped; every request was answered.");
    Ok(())
}

async fn database(config: &Config) -> anyhow::Result<Pool> {
    let url = config.database.database_url.expose_secret();
    let pending = start::retry("PostgreSQL", || async {
        migrations::pending(url).await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    })
    .await?;
    anyhow::ensure!(
        pending.is_empty(),
        "the database has {} pending migration(s), {}: run `posthouse migrate` first",
        pending.len(),
        pending.join(", ")
    );
    Ok(pool::build(url, config.database.database_pool_max)?)
}

async fn queues(config: &Config) -> anyhow::Result<Queues> {
    let connect = || async {
        let queues = Queues::connect(config.redis.redis_url.expose_secret(), &config.redis.redis_prefix).await;
        queues.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    };
    Ok(start::retry("Redis", connect).await?)
}

fn checks(pool: &Pool, queues: &Queues) -> Arc<Checks> {
    let (pool, queues) = (pool.clone(), queues.clone());
    let postgres = move || {
        let pool = pool.clone();
        async move { pool::ping(&pool).await }.boxed()
    };
    let redis = move || {
        let queues = queues.clone();
        async move { queues.ping().await.map_err(|error| error.to_string()) }.boxed()
    };
    Arc::new(Checks::new().add("postgres", postgres).add("redis", redis))
}
