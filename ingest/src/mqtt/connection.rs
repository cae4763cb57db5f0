//! One connection to the broker, from CONNECT to its end. Acknowledgements belong to the connection that brought the
//! message: after a loss the broker may use their packet ids for other messages, so they die with it.

use std::{pin::pin, sync::Arc};

use rumqttc::{AsyncClient, Incoming, MqttState, Publish, QoS};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    MqttConsumer,
    options::{Session, options},
    reader::Reader,
    writer::Writer,
};
use crate::fault::Fault;

/// Messages that wait for Redis, of one source; a full queue stops the reading.
const IN_FLIGHT_MAX: usize = 1_000;
/// Their bytes, which is what bounds memory when messages are large.
const IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Requests that wait for the network. More than there are packet ids, so that an acknowledgement always finds room and
/// the writer never waits for the reader.
const REQUESTS_MAX: usize = u16::MAX as usize + 1_000;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// As asked: everything taken is pushed and acknowledged.
    Stopped,
    /// By itself; the reason in words.
    Lost(String),
}

/// Opens a connection and reads until it ends.
pub(super) async fn run(consumer: &MqttConsumer, fault: &mut Fault, stop: &CancellationToken) -> End {
    let options = match options(&consumer.settings, Session::Kept) {
        Ok(options) => options,
        Err(error) => return End::Lost(error),
    };
    let (client, mut events) = AsyncClient::new(options, REQUESTS_MAX);
    if consumer.settings.qos == QoS::ExactlyOnce {
        expect_any_release(&mut events.state);
    }
    let (inbox, arrivals) = mpsc::channel(IN_FLIGHT_MAX);
    let lost = CancellationToken::new();
    let reader =
        Reader { consumer, client: &client, inbox, room: Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX)), fault };
    let writer = Writer::new(consumer, &client, &lost);
    let mut write = pin!(writer.run(arrivals, stop));
    let end = {
        let mut read = pin!(async {
            let end = reader.run(&mut events).await;
            lost.cancel();
            end
        });
        tokio::select! {
            end = &mut read => { write.await; end }
            () = &mut write => read.await,
        }
    };
    if stop.is_cancelled() { End::Stopped } else { end }
}

/// Makes the client answer every PUBREL. The broker repeats those that an earlier connection did not answer, and the
/// library, whose memory ends with the connection, would take them for a protocol error and never get past them.
fn expect_any_release(state: &mut MqttState) {
    for packet_id in 1..=u16::MAX {
        let mut publish = Publish::new("", QoS::ExactlyOnce, Vec::new());
        publish.pkid = packet_id;
        // Taking note of a QoS 2 message cannot fail and, with manual acknowledgement, answers nothing.
        let answer = state.handle_incoming_packet(Incoming::Publish(publish));
        debug_assert!(matches!(answer, Ok(None)));
    }
    state.events.clear();
}
