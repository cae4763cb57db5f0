//! A private Mosquitto: an MQTT broker on loopback only, which keeps its messages in its own folder.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::net::TcpStream;

use super::{
    READY_LIMIT, READY_POLL, SERVICE_ENDING,
    account::Place,
    find::{Found, Program, require},
    loopback,
};
use crate::{ports, process::Process};

/// A running private Mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    // First, so that it has ended when its place is removed.
    process: Process,
    _place: Place,
    program: Found,
    port: u16,
}

impl Mosquitto {
    /// Starts an empty broker in `place`.
    ///
    /// # Errors
    /// Mosquitto is missing or does not come up; the text has the end of its log.
    pub async fn start(place: Place) -> Result<Self> {
        let program = require(Program::MOSQUITTO)?;
        let data = place.folder("mosquitto")?;
        let port = ports::free()?.port();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nlog_dest stderr\nlog_type all\n",
            data.display()
        );
        let file = place.write("mosquitto.conf", &config)?;
        let mut command = place.command(&program.path, SERVICE_ENDING);
        command.arg("-c").arg(file);
        let process = Process::start("Mosquitto", command, &place.log("mosquitto"), SERVICE_ENDING)?;
        let mut mosquitto = Self { _place: place, program, port, process };
        mosquitto.wait_until_ready().await?;
        Ok(mosquitto)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Such as `2.0.11`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.program.version
    }

    /// The process, to see whether it lives.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until some client has subscribed to the topic: a message published earlier would be for nobody.
    ///
    /// # Errors
    /// Nobody has when `limit` has passed.
    pub async fn wait_for_subscriber(&self, topic: &str, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while !has_subscriber(&self.process.log()?, topic) {
            if start.elapsed() > limit {
                bail!("nobody has subscribed to {topic} after {limit:?}");
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// It does not end in its time.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await.map(|_| ())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(loopback(self.port)).await.is_err() {
            self.process.check_alive()?;
            if start.elapsed() > READY_LIMIT {
                bail!(
                    "Mosquitto does not answer after {READY_LIMIT:?}; the end of its log:\n{}",
                    self.process.log_tail()
                );
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Ok(())
    }
}

/// Mosquitto logs a subscription as `<time>: <client> <qos> <topic>`.
fn has_subscriber(log: &str, topic: &str) -> bool {
    log.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), [time, _, "0" | "1" | "2", last] if time.ends_with(':') && *last == topic)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_told_from_other_lines() {
        let log = "1763956000: Sending SUBACK to posthouse\n1763956000: posthouse 1 demo/events\n";
        assert!(has_subscriber(log, "demo/events"));
        assert!(!has_subscriber(log, "demo"));
        assert!(!has_subscriber("1763956000: Received PUBLISH (topic demo/events)", "demo/events"));
    }
}
