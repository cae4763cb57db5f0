//! Files that are read again when they change, and on SIGHUP. What cannot be used changes nothing.

use std::{fmt, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Calls `reload` for ever, with whether somebody asks; it says whether there is something new. `what` is for the log, and
/// `tell` hears whether it could be used.
pub async fn follow<R, E>(what: &str, mut reload: impl FnMut(bool) -> R, tell: impl Fn(bool))
where
    R: Future<Output = Result<bool, E>>,
    E: fmt::Display,
{
    let mut hangup = signal(SignalKind::hangup()).ok();
    loop {
        let is_asked = tokio::select! {
            () = next(hangup.as_mut()) => true,
            () = tokio::time::sleep(LOOK_INTERVAL) => false,
        };
        match reload(is_asked).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("The {what} were read again and are in force; open tunnels go on.");
                tell(true);
            }
            Err(error) => {
                tracing::error!(error = %error, "The {what} cannot be used; those before stay in force.");
                tell(false);
            }
        }
    }
}

async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
