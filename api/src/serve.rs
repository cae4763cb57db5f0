//! The API's process: connections, listeners, and an orderly end.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use posthouse_jobs::backing::{Backing, Purpose};
use posthouse_service::probes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    board,
    config::Config,
    drain::{self, Drain},
    outbound::{Outbound, Way},
    router,
};

/// Serves until `shutdown`, for a while longer as one that is not ready, and then until the requests under way are answered.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let backing = Backing::connect(&config.database, &config.redis, Purpose::General).await?;
    let checks = Arc::new(backing.checks().until(shutdown.clone()));
    let settings = config.settings();
    let way = if config.egress.egress_url.is_empty() {
        Way::Direct(Arc::new(posthouse_egress::Rules::with_allowed(config.allow)))
    } else {
        Way::Egress(Box::new(config.egress))
    };
    let app =
        App::new(backing.pool.clone(), backing.queues.clone(), Arc::clone(&checks), settings, Outbound::new(way)?);
    backing.register(&app.metrics);
    let listener = bind(config.listen).await?;
    let (board, board_service) = (bind(config.board_listen).await?, board::service(Arc::clone(&app)));
    // They answer until the last request is answered.
    let ended = CancellationToken::new();
    let (_, probes) = probes::serve(config.probe_listen, checks, app.metrics.clone(), ended.clone()).await?;
    let drain = Drain::after(shutdown, config.drain_delay, config.process.drain_timeout);
    tracing::info!(listen = %config.listen, board = %config.board_listen, "The API takes requests.");
    tokio::try_join!(
        drain::serve(listener, router::service(app), drain.clone()),
        drain::serve(board, board_service, drain)
    )?;
    ended.cancel();
    probes.await?;
    tracing::info!("The API has stopped; every request was answered.");
    Ok(())
}

async fn bind(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| format!("{addr} cannot be bound"))
}
