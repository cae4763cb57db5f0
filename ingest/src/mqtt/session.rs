//! The ends of connections and sessions: what the broker keeps under a client id is given up when its source is gone.

use std::time::Duration;

use posthouse_broker_settings::MqttSettings;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, Incoming, Outgoing};

use super::options::{Session, options};

/// Longest wait for the broker to close the connection after DISCONNECT.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Longest time for the whole exchange.
const FORGET_MAX: Duration = Duration::from_secs(5);

/// Makes the broker drop the session, its subscriptions and its messages: MQTT 3.1.1 does this at a connection that
/// asks for a clean session.
///
/// # Errors
/// The broker cannot be reached or refuses; the session then stays until the broker expires it.
pub(super) async fn forget(settings: &MqttSettings) -> Result<(), String> {
    let (client, mut events) = AsyncClient::new(options(settings, Session::Forgotten)?, 1);
    match tokio::time::timeout(FORGET_MAX, connect_and_leave(&client, &mut events)).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the broker did not answer in time".to_owned()),
    }
}

async fn connect_and_leave(client: &AsyncClient, events: &mut EventLoop) -> Result<(), ConnectionError> {
    loop {
        match events.poll().await? {
            Event::Incoming(Incoming::ConnAck(_)) => {
                if client.try_disconnect().is_err() {
                    return Ok(()); // Dropping the connection ends the session as well.
                }
            }
            Event::Outgoing(Outgoing::Disconnect) => {
                wait_for_close(events).await;
                return Ok(());
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }
}

/// Reads on after DISCONNECT until the broker closes. Closing first, with messages unread, would reset the connection,
/// and a reset may overtake the last acknowledgements: their messages would come again.
pub(super) async fn wait_for_close(events: &mut EventLoop) {
    let closed = async { while events.poll().await.is_ok() {} };
    if tokio::time::timeout(CLOSE_MAX, closed).await.is_err() {
        tracing::debug!("The broker did not close the connection; it is closed from here.");
    }
}
