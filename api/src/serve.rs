//! The API's process: connections, listeners, and an orderly end.

use std::sync::Arc;

use anyhow::Context as _;
use posthouse_jobs::backing::{Backing, Purpose};
use posthouse_service::probes;
use salvo::{conn::TcpListener, prelude::*};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    board,
    config::Config,
    outbound::{Outbound, Way},
    router,
};

/// Serves until `shutdown`, and then until the requests under way are answered.
///
/// # Errors
/// Something that it needs at start is missing; a clear sentence for the operator.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let backing = Backing::connect(&config.database, &config.redis, Purpose::General).await?;
    let checks = Arc::new(backing.checks());
    let settings = config.settings();
    let way = if config.egress.egress_url.is_empty() {
        Way::Direct(Arc::new(posthouse_egress::Rules::with_allowed(config.allow)))
    } else {
        Way::Egress(Box::new(config.egress))
    };
    let app =
        App::new(backing.pool.clone(), backing.queues.clone(), Arc::clone(&checks), settings, Outbound::new(way)?);
    backing.register(&app.metrics);
    let acceptor = TcpListener::new(config.listen)
        .try_bind()
        .await
        .with_context(|| format!("{} cannot be bound", config.listen))?;
    let server = Server::new(acceptor);
    let (board, board_service) = board::bind(config.board_listen, Arc::clone(&app)).await?;
    // They answer until the last request is answered.
    let ended = CancellationToken::new();
    let (_, probes) = probes::serve(config.probe_listen, checks, app.metrics.clone(), ended.clone()).await?;
    let (handle, board_handle) = (server.handle(), board.handle());
    let drain = config.process.drain_timeout;
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop_graceful(Some(drain));
        board_handle.stop_graceful(Some(drain));
    });
    tracing::info!(listen = %config.listen, board = %config.board_listen, "The API takes requests.");
    tokio::try_join!(server.try_serve(router::service(app)), board.try_serve(board_service))?;
    ended.cancel();
    probes.await?;
    tracing::info!("The API has stopped; every request was answered.");
    Ok(())
}
