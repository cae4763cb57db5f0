//! The signals that end a run early.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// The system refuses the handlers.
pub fn interrupted() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
