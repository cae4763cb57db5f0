//! The ends of connections and sessions: what the broker keeps under a client id is given up when its source is gone.

use std::time::Duration;

use posthouse_broker_settings::{MqttSettings, filter_of_shared};

use super::{
    client::{Client, Happening, Network, client},
    options::{self, Session},
    template::EventTypeTemplate,
};
use crate::broker::{Problem, Step};

/// Longest wait for the broker to close the connection after DISCONNECT.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Longest time for the whole exchange.
const FORGET_MAX: Duration = Duration::from_secs(5);
const CHECK_MAX: Duration = Duration::from_secs(10);

/// Makes the broker drop the session, its subscriptions and its messages: it does this at a connection that asks for a clean
/// session, and keeps none of that connection's own.
///
/// # Errors
/// The broker cannot be reached or refuses; the session then stays until the broker expires it.
pub(super) async fn forget(settings: &MqttSettings) -> Result<(), String> {
    let (client, mut network) = client(settings, Session::Forgotten, 1)?;
    match tokio::time::timeout(FORGET_MAX, connect_and_leave(&client, &mut network)).await {
        Ok(result) => result,
        Err(_) => Err("the broker did not answer in time".to_owned()),
    }
}

async fn connect_and_leave(client: &Client, network: &mut Network) -> Result<(), String> {
    loop {
        match network.next().await? {
            Happening::Connected => {
                if !client.disconnect() {
                    return Ok(()); // Dropping the connection ends the session as well.
                }
            }
            Happening::Left => {
                wait_for_close(network).await;
                return Ok(());
            }
            Happening::Subscribed { .. } | Happening::Brought(_) | Happening::Other => {}
        }
    }
}

/// Reads on after DISCONNECT until the broker closes. Closing first, with messages unread, would reset the connection,
/// and a reset may overtake the last acknowledgements: their messages would come again.
pub(super) async fn wait_for_close(network: &mut Network) {
    let closed = async { while network.next().await.is_ok() {} };
    if tokio::time::timeout(CLOSE_MAX, closed).await.is_err() {
        tracing::debug!("The broker did not close the connection; it is closed from here.");
    }
}

/// Signs in and subscribes as somebody else, for a moment and without a session: the broker would end the connection of whoever
/// has the source's own name.
pub(super) async fn check(settings: &MqttSettings) -> Result<Vec<String>, Problem> {
    EventTypeTemplate::of(settings).map_err(|reason| Problem::at(Step::Settings, reason))?;
    let client_id = format!("posthouse-test-{:016x}", rand::random::<u64>());
    // Of a shared subscription this one would take its share.
    let topic = filter_of_shared(&settings.topic).unwrap_or(&settings.topic).to_owned();
    let settings = MqttSettings { client_id, topic, ..settings.clone() };
    let opened = client(&settings, Session::Forgotten, 10);
    let (client, mut network) = opened.map_err(|reason| Problem::at(Step::Settings, reason))?;
    let mut step = Step::SignIn;
    match tokio::time::timeout(CHECK_MAX, subscribe_and_leave(&settings, &client, &mut network, &mut step)).await {
        Ok(Ok(())) => Ok(Vec::new()),
        Ok(Err(reason)) => Err(Problem::at(step, reason)),
        Err(_) => Err(Problem::at(step, "the broker did not answer in time")),
    }
}

async fn subscribe_and_leave(
    settings: &MqttSettings,
    client: &Client,
    network: &mut Network,
    step: &mut Step,
) -> Result<(), String> {
    loop {
        match network.next().await? {
            Happening::Connected => {
                *step = Step::Open;
                client.subscribe(&settings.topic, options::qos(settings.qos))?;
            }
            Happening::Subscribed { is_refused } => {
                if client.disconnect() {
                    wait_for_close(network).await;
                }
                return match is_refused {
                    true => Err(format!("the broker refused the subscription to {}", settings.topic)),
                    false => Ok(()),
                };
            }
            Happening::Brought(_) | Happening::Left | Happening::Other => {}
        }
    }
}
