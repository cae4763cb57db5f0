//! The other two qualities of service.

use rumqttc::QoS;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    broker::{Broker, numbered, numbers, publish},
    program::SOON,
    world::World,
};

#[tokio::test]
async fn qos_0_and_2_are_read_as_well() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let lossy = world.source(&broker.source_with("zero", &json!({"qos": 0}))).await;
    let exact = world.source(&broker.source_with("two", &json!({"qos": 2}))).await;
    let ingest = world.ingest().await;
    ingest.connected(lossy).await;
    ingest.connected(exact).await;
    publish(broker.options("p"), "zero", &numbers(0..100), QoS::AtMostOnce, false).await;
    publish(broker.options("p"), "two", &numbers(100..300), QoS::ExactlyOnce, false).await;
    assert_eq!(world.wait_for_numbers(0..300, SOON).await.len(), 300);
    ingest.stop().await;
}

/// A connection ended between PUBREC and PUBREL. The broker repeats its PUBREL to a client that has forgotten about it.
#[tokio::test]
async fn a_release_left_open_by_an_earlier_connection_is_answered() {
    let (broker, world) = (Broker::start().await, World::new().await);
    let pub_sub = broker.source_with("t", &json!({"qos": 2, "client_id": "reader"}));
    let mut socket = TcpStream::connect(("127.0.0.1", broker.port)).await.unwrap();
    // CONNECT without clean session as `reader`, then SUBSCRIBE to `t` with QoS 2.
    socket.write_all(b"\x10\x12\x00\x04MQTT\x04\x00\x00\x3c\x00\x06reader").await.unwrap();
    assert_eq!(read_packet(&mut socket).await[0], 0x20);
    socket.write_all(b"\x82\x06\x00\x01\x00\x01t\x02").await.unwrap();
    assert_eq!(read_packet(&mut socket).await[0], 0x90);
    publish(broker.options("p"), "t", &[numbered(99)], QoS::ExactlyOnce, false).await;
    let message = read_packet(&mut socket).await;
    assert_eq!(message[0] & 0xf6, 0x34, "a PUBLISH with QoS 2");
    assert_eq!(&message[2..5], b"\x00\x01t");
    let packet_id = &message[5..7];
    socket.write_all(&[&[0x50, 2], packet_id].concat()).await.unwrap();
    assert_eq!(read_packet(&mut socket).await[0], 0x62, "a PUBREL, which stays unanswered");
    drop(socket);
    let source_id = world.source(&pub_sub).await;
    let ingest = world.ingest().await;
    ingest.connected(source_id).await;
    publish(broker.options("p"), "t", &[numbered(0)], QoS::ExactlyOnce, false).await;
    assert_eq!(world.wait_for_numbers(0..1, SOON).await, [0]);
    let log = broker.log();
    assert!(log.contains("Sending PUBREL to reader") && log.contains("Received PUBCOMP from reader"));
    assert_eq!(log.matches("as reader (p2, c0").count(), 2, "one connection sufficed");
    ingest.stop().await;
}

/// One packet with fewer than 128 bytes.
async fn read_packet(socket: &mut TcpStream) -> Vec<u8> {
    let mut packet = vec![0; 2];
    socket.read_exact(&mut packet).await.unwrap();
    assert!(packet[1] < 128);
    packet.resize(2 + usize::from(packet[1]), 0);
    socket.read_exact(&mut packet[2..]).await.unwrap();
    packet
}
