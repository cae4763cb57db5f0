//! `posthouse-receiver`: an endpoint that behaves as its path says and verifies signatures, for the demo and by hand.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Parser;
use posthouse_e2e::{receiver::Receiver, signals};

/// Receives deliveries: /ok/NAME answers 200, /flaky/TIMES/NAME first fails so often, /fail/NAME always fails.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where deliveries come in.
    #[arg(long, default_value = "127.0.0.1:5020")]
    listen: SocketAddr,
    /// Where secrets are set (PUT /secrets) and requests are listed (GET /requests).
    #[arg(long, default_value = "127.0.0.1:5021")]
    admin_listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let interrupted = signals::interrupted().context("watch for signals")?;
    let receiver = Receiver::default();
    let deliveries =
        receiver.listen(arguments.listen).await.with_context(|| format!("listen on {}", arguments.listen))?;
    let admin = receiver
        .listen_admin(arguments.admin_listen)
        .await
        .with_context(|| format!("listen on {}", arguments.admin_listen))?;
    interrupted.await;
    deliveries.abort();
    admin.abort();
    Ok(())
}
