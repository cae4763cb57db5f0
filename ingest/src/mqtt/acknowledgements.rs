//! Acknowledgements by MQTT 3.1.1 on their way to the network. The client library sends one of its requests for about ten
//! packets that it reads, and a broker with a long queue for us may bring packets without a pause: whatever had to wait in the
//! library would grow. So it is given one acknowledgement at a time, which wakes it where it waits for the broker, and the
//! others follow that one at once, all in one write.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rumqttc::{AsyncClient, ClientError, EventLoop, Incoming as Packet, PubAck, PubRec, Publish, QoS};

/// Longest wait for the network to take them.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Those of one connection; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Acknowledgements(Arc<Mutex<Underway>>);

#[derive(Default)]
struct Underway {
    /// The library has one that it did not send yet. Without it nothing waits.
    has_library: bool,
    /// What follows that one, in the order of the messages.
    waiting: Vec<Packet>,
}

impl Acknowledgements {
    /// Sends it soon. A message of QoS 0 has none.
    ///
    /// # Errors
    /// Nobody polls any more.
    pub(super) fn send(&self, client: &AsyncClient, publish: &Publish) -> Result<(), ClientError> {
        let packet = match publish.qos {
            QoS::AtMostOnce => return Ok(()),
            QoS::AtLeastOnce => Packet::PubAck(PubAck::new(publish.pkid)),
            QoS::ExactlyOnce => Packet::PubRec(PubRec::new(publish.pkid)),
        };
        let mut underway = self.lock();
        if underway.has_library {
            underway.waiting.push(packet);
        } else {
            client.try_ack(publish)?;
            underway.has_library = true;
        }
        Ok(())
    }

    /// Writes what waits, after the library has sent the one that it had.
    ///
    /// # Errors
    /// The connection has ended, or takes nothing any more; in words.
    pub(super) async fn follow(&self, events: &mut EventLoop) -> Result<(), String> {
        let waiting = self.take();
        let Some(network) = events.network.as_mut().filter(|_| !waiting.is_empty()) else { return Ok(()) };
        let written = async {
            for packet in waiting {
                network.write(packet).await?;
            }
            network.flush().await
        };
        match tokio::time::timeout(WRITE_MAX, written).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("the broker does not take acknowledgements".to_owned()),
        }
    }

    fn take(&self) -> Vec<Packet> {
        let mut underway = self.lock();
        underway.has_library = false;
        std::mem::take(&mut underway.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Underway> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::MqttOptions;

    use super::*;

    fn publish(packet_id: u16, qos: QoS) -> Publish {
        let mut publish = Publish::new("t", qos, "x");
        publish.pkid = packet_id;
        publish
    }

    #[test]
    fn the_library_has_one_and_the_others_follow_it_in_their_order() {
        let acknowledgements = Acknowledgements::default();
        // With room for one request: a second would be refused.
        let (client, _events) = AsyncClient::new(MqttOptions::new("c", "h", 1), 1);
        let send = |packet_id, qos| acknowledgements.send(&client, &publish(packet_id, qos));
        send(9, QoS::AtMostOnce).unwrap();
        for packet_id in 1..=3 {
            send(packet_id, QoS::AtLeastOnce).unwrap();
        }
        send(4, QoS::ExactlyOnce).unwrap();
        let following =
            [Packet::PubAck(PubAck::new(2)), Packet::PubAck(PubAck::new(3)), Packet::PubRec(PubRec::new(4))];
        assert_eq!(acknowledgements.take(), following);
        assert!(acknowledgements.take().is_empty());
        // The library's turn again, and here it did not send the first yet.
        assert!(send(5, QoS::AtLeastOnce).is_err());
    }
}
