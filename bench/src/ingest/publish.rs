//! Fills a broker with messages of about 1 KiB.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use async_nats::jetstream;
use krafka::{
    Kafka, Record,
    admin::{CreateTopicsOptions, NewTopic},
};
use lapin::{
    BasicProperties, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use tokio::time::{Instant, sleep};

use super::{
    Case,
    servers::{PLACE, Server},
};

/// Messages that are under way at once.
const PART: u64 = 1_000;
const PARTITIONS: i32 = 3;
const START_LIMIT: Duration = Duration::from_secs(90);

fn body(number: u64) -> String {
    let filling = "x".repeat(900);
    format!(
        r#"{{"event_type":"bench.counted","data":{{"number":{number},"filling":"{filling}"}},"custom_headers":{{"x-convoy-message-type":"broadcast"}}}}"#
    )
}

/// Makes what the source reads, where it does not do that itself.
pub async fn prepare(case: Case, server: &Server) -> Result<()> {
    let began = Instant::now();
    match case {
        Case::Mqtt | Case::Redis => Ok(()),
        Case::Amqp => {
            let channel = amqp(server).await?;
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel
                .queue_declare(PLACE.into(), durable, FieldTable::default())
                .await
                .map(drop)
                .context("make the queue")
        }
        Case::Kafka => {
            // It listens before it can do this.
            while let Err(error) = make_topic(server).await {
                ensure!(began.elapsed() < START_LIMIT, "the topic cannot be made: {error}");
                sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        }
        Case::Nats => {
            let stream =
                jetstream::stream::Config { name: PLACE.into(), subjects: vec![PLACE.into()], ..Default::default() };
            nats(server).await?.create_stream(stream).await.map(drop).context("make the stream")
        }
    }
}

/// Publishes so many, and returns when the broker has them.
pub async fn publish(case: Case, server: &Server, count: u64) -> Result<()> {
    match case {
        Case::Mqtt => mqtt(server, count).await,
        Case::Amqp => {
            let channel = amqp(server).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            for first in (0..count).step_by(1_000) {
                let mut confirmations = Vec::new();
                for number in first..(first + PART).min(count) {
                    let named =
                        BasicProperties::default().with_delivery_mode(2).with_message_id(number.to_string().into());
                    let options = BasicPublishOptions::default();
                    let body = body(number);
                    let sent = channel.basic_publish("".into(), PLACE.into(), options, body.as_bytes(), named);
                    confirmations.push(sent.await?);
                }
                for confirmation in confirmations {
                    confirmation.await?;
                }
            }
            Ok(())
        }
        Case::Kafka => {
            let producer = kafka(server).await?.producer().build().await?;
            for first in (0..count).step_by(1_000) {
                let mut confirmations = Vec::new();
                for number in first..(first + PART).min(count) {
                    confirmations.push(producer.enqueue(Record::new(PLACE, body(number))).await?);
                }
                for confirmation in confirmations {
                    drop(confirmation.await?);
                }
            }
            producer.close().await.context("leave Kafka")
        }
        Case::Nats => {
            let context = nats(server).await?;
            for first in (0..count).step_by(1_000) {
                let mut confirmations = Vec::new();
                for number in first..(first + PART).min(count) {
                    confirmations.push(context.publish(PLACE, body(number).into()).await?);
                }
                for confirmation in confirmations {
                    drop(confirmation.await?);
                }
            }
            Ok(())
        }
        Case::Redis => {
            let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port))?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            for first in (0..count).step_by(1_000) {
                let mut all = redis::pipe();
                for number in first..(first + PART).min(count) {
                    all.cmd("XADD").arg(PLACE).arg("*").arg("body").arg(body(number)).ignore();
                }
                all.query_async::<()>(&mut connection).await?;
            }
            Ok(())
        }
    }
}

async fn mqtt(server: &Server, count: u64) -> Result<()> {
    let mut options = MqttOptions::new("bench-publisher", "127.0.0.1", server.port);
    options.set_inflight(100);
    let (client, mut events) = AsyncClient::new(options, 1_000);
    let publishing = tokio::spawn(async move {
        for number in 0..count {
            if client.publish(PLACE, QoS::AtLeastOnce, false, body(number)).await.is_err() {
                break;
            }
        }
        client
    });
    let mut open = count;
    while open > 0 {
        if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await.context("publish to Mosquitto")? {
            open -= 1;
        }
    }
    drop(publishing.await?);
    Ok(())
}

async fn amqp(server: &Server) -> Result<lapin::Channel> {
    let uri = format!("amqp://guest:guest@127.0.0.1:{}/%2f", server.port);
    let began = Instant::now();
    loop {
        match lapin::Connection::connect(&uri, ConnectionProperties::default()).await {
            Ok(connection) => return connection.create_channel().await.context("open a channel"),
            Err(error) if began.elapsed() > START_LIMIT => bail!("connect to RabbitMQ: {error}"),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn kafka(server: &Server) -> Result<Kafka> {
    Kafka::builder(format!("127.0.0.1:{}", server.port)).connect().await.context("connect to Kafka")
}

async fn make_topic(server: &Server) -> Result<()> {
    let topic = NewTopic::new(PLACE, PARTITIONS, 1)?;
    let made = kafka(server).await?.admin().create_topics([topic], CreateTopicsOptions::default()).await?;
    for answer in made.into_values() {
        answer?;
    }
    Ok(())
}

async fn nats(server: &Server) -> Result<jetstream::Context> {
    let client = async_nats::connect(format!("127.0.0.1:{}", server.port)).await.context("connect to NATS")?;
    Ok(jetstream::new(client))
}
