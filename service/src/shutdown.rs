//! The end of a process: the first SIGTERM or SIGINT asks for a drain, a second one ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told twice to stop.
const IMPATIENT: i32 = 130;

/// A token that is cancelled by the first SIGTERM or SIGINT. Must be called inside the runtime.
#[must_use]
pub fn on_signals() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("Signals cannot be handled; the process ends without a drain.");
            return;
        };
        let mut next = async || tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
        let name = next().await;
        tracing::info!(signal = name, "The process stops: it takes no more work and finishes what it has.");
        cancelled.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "The process ends at once.");
        std::process::exit(IMPATIENT);
    });
    token
}
