//! One connection that pulls from the durable consumer. The client library would connect again by itself; here a
//! connection that is lost is over, so that every broker comes back by the same waits and every loss is seen.

use std::time::{Duration, Instant};

use async_nats::{
    Client, ConnectOptions, Event, ServerAddr,
    jetstream::{
        self, AckKind,
        consumer::{AckPolicy, Consumer, DeliverPolicy, FromConsumer as _, pull},
        context::ConsumerInfoErrorKind,
        message::Acker,
        stream::{ConsumerErrorKind, Stream},
    },
};
use futures::{FutureExt as _, StreamExt as _};
use posthouse_broker_settings::{NatsCredentials, NatsSettings, Start};
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::broker::{Answer, BATCH_MAX, Identity, LagProbe, Link, Message, Problem, Reach, Step, client_config};

/// Longest wait for the server to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Most messages of one pull. With the server's largest message it bounds memory.
const PULL_MAX: usize = 200;
/// Most messages without an answer, of all instances together.
const ACK_PENDING_MAX: i64 = 20_000;
/// How long a pull waits at the server, and how often the server then says that it is there.
const PULL_LASTS: Duration = Duration::from_secs(30);
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A connection that consumes a stream.
pub struct Connection {
    client: Client,
    consumer: Consumer<pull::Config>,
    messages: pull::Stream,
    /// Cancelled when the connection is lost.
    lost: CancellationToken,
    /// How often the server is told that messages are still being worked on.
    progress_every: Duration,
    held_at: Instant,
}

impl Connection {
    pub(super) async fn open(settings: &NatsSettings) -> Result<Self, String> {
        let lost = CancellationToken::new();
        let client = connect(settings, lost.clone()).await?;
        let consumer = consumer(settings, &client).await?;
        let pulls = consumer.stream().max_messages_per_batch(PULL_MAX).expires(PULL_LASTS).heartbeat(SIGN_OF_LIFE);
        let messages = pulls.messages().await.map_err(|error| error.to_string())?;
        let progress_every = settings.redeliver_after / 3;
        Ok(Self { client, consumer, messages, lost, progress_every, held_at: Instant::now() })
    }

    fn lost() -> String {
        "the connection to the server was lost".to_owned()
    }

    async fn answer(acker: &Acker, kind: AckKind) -> Result<(), String> {
        acker.ack_with(kind).await.map_err(|error| error.to_string())
    }
}

impl Link for Connection {
    type Tag = Acker;

    async fn receive(&mut self, stop: &CancellationToken) -> Result<Vec<Message<Acker>>, String> {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Vec::new()),
            first = self.messages.next() => taken(first)?,
            () = self.lost.cancelled() => return Err(Self::lost()),
        };
        self.held_at = Instant::now();
        let mut messages = vec![message(first)];
        while messages.len() < BATCH_MAX
            && let Some(next) = self.messages.next().now_or_never()
        {
            match taken(next) {
                Ok(next) => messages.push(message(next)),
                Err(_) => break, // The next call meets it again, or the server sends on.
            }
        }
        Ok(messages)
    }

    fn lag_probe(&self) -> Option<LagProbe> {
        let consumer = self.consumer.clone();
        Some(Box::new(move || {
            let consumer = consumer.clone();
            Box::pin(async move { Some(consumer.get_info().await.ok()?.num_pending) })
        }))
    }

    async fn hold(&mut self, answers: &[(Acker, Answer)]) -> Result<(), String> {
        if self.lost.is_cancelled() {
            return Err(Self::lost());
        }
        if self.held_at.elapsed() >= self.progress_every {
            self.held_at = Instant::now();
            for (acker, _) in answers {
                Self::answer(acker, AckKind::Progress).await?;
            }
        }
        Ok(())
    }

    async fn settle(&mut self, answers: Vec<(Acker, Answer)>) -> Result<(), String> {
        for (acker, answer) in answers {
            let kind = match answer {
                Answer::Accepted => AckKind::Ack,
                Answer::Refused => AckKind::Term,
            };
            Self::answer(&acker, kind).await?;
        }
        if self.lost.is_cancelled() { Err(Self::lost()) } else { Ok(()) }
    }

    async fn close(mut self) {
        // What was pulled and not taken need not wait for its time to be given to another.
        while let Some(Some(Ok(message))) = self.messages.next().now_or_never() {
            if message.ack_with(AckKind::Nak(None)).await.is_err() {
                break;
            }
        }
        let answered = tokio::time::timeout(ANSWER_MAX, self.client.flush());
        if !matches!(answered.await, Ok(Ok(()))) {
            tracing::debug!("The server did not take the last answers; it sends their messages again.");
        }
    }
}

async fn connect(settings: &NatsSettings, lost: CancellationToken) -> Result<Client, String> {
    let tls = tls(settings)?;
    let mut options = ConnectOptions::new()
        .name("posthouse")
        .connection_timeout(ANSWER_MAX)
        .require_tls(settings.is_tls)
        .tls_client_config(tls)
        .max_reconnects(1)
        .event_callback(move |event| {
            let lost = lost.clone();
            async move {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    lost.cancel();
                }
            }
        });
    options = match &settings.credentials {
        None => options,
        Some(NatsCredentials::Password(username, password)) => {
            options.user_and_password(username.clone(), password.clone())
        }
        Some(NatsCredentials::Token(token)) => options.token(token.clone()),
        // The library's own words might quote the file.
        Some(NatsCredentials::File(file)) => {
            options.credentials(file).map_err(|_| "pub_sub.nats.auth.credentials is no credentials file".to_owned())?
        }
    };
    options.connect(servers(settings)?).await.map_err(|error| format!("the server cannot be used: {error}"))
}

fn servers(settings: &NatsSettings) -> Result<Vec<ServerAddr>, String> {
    let servers: Result<Vec<ServerAddr>, _> = settings.servers.iter().map(|server| server.parse()).collect();
    servers.map_err(|_| "pub_sub.nats.servers holds no URL of a server".to_owned())
}

fn tls(settings: &NatsSettings) -> Result<ClientConfig, String> {
    client_config(settings.ca_certificate.as_deref(), "pub_sub.nats.ca_certificate")
}

pub(super) fn reach(settings: &NatsSettings) -> Result<Reach, String> {
    let servers = servers(settings)?;
    let is_tls = settings.is_tls || servers.iter().any(ServerAddr::tls_required);
    let addresses = servers.iter().map(|server| (server.host().to_owned(), server.port())).collect();
    Ok(Reach { addresses, tls: if is_tls { Some(tls(settings)?) } else { None }, greets: true })
}

/// Signs in, and looks for the stream and the consumer.
pub(super) async fn check(settings: &NatsSettings) -> Result<Vec<String>, Problem> {
    let connected = connect(settings, CancellationToken::new()).await;
    let client = connected.map_err(|reason| Problem::at(Step::SignIn, reason))?;
    let unusable = |reason| Problem::at(Step::Open, reason);
    let stream = stream(settings, &client).await.map_err(unusable)?;
    let durable = &settings.durable;
    Ok(match existing(settings, &stream).await.map_err(unusable)? {
        Some(_) => Vec::new(),
        None => vec![format!("the consumer {durable} is not there yet; the source makes it")],
    })
}

/// The durable consumer. The source's own is made, and follows the source's subject; an owner's is made where it is
/// missing and otherwise taken as it is.
async fn consumer(settings: &NatsSettings, client: &Client) -> Result<Consumer<pull::Config>, String> {
    let stream = stream(settings, client).await?;
    let subject = settings.subject.clone().unwrap_or_default();
    let config = match existing(settings, &stream).await? {
        Some(existing) if settings.is_own => {
            pull::Config { filter_subject: subject, ack_wait: settings.redeliver_after, ..existing }
        }
        Some(existing) => existing,
        None => pull::Config {
            durable_name: Some(settings.durable.clone()),
            description: Some("Posthouse".to_owned()),
            deliver_policy: match settings.start {
                Start::First => DeliverPolicy::All,
                Start::New => DeliverPolicy::New,
            },
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.redeliver_after,
            filter_subject: subject,
            max_ack_pending: ACK_PENDING_MAX,
            ..pull::Config::default()
        },
    };
    stream.create_consumer(config).await.map_err(|error| format!("the consumer cannot be made: {error}"))
}

/// The consumer as it is, if it is there and can be used.
async fn existing(settings: &NatsSettings, stream: &Stream) -> Result<Option<pull::Config>, String> {
    let info = match stream.consumer_info(&settings.durable).await {
        Ok(info) => info,
        Err(error) if matches!(error.kind(), ConsumerInfoErrorKind::NotFound) => return Ok(None),
        Err(error) => return Err(format!("the consumer cannot be read: {error}")),
    };
    let existing = pull::Config::try_from_consumer_config(info.config)
        .map_err(|_| format!("the consumer {} is not one to pull from", settings.durable))?;
    if existing.ack_policy != AckPolicy::Explicit {
        return Err(format!("the consumer {} must ask for explicit acknowledgements", settings.durable));
    }
    Ok(Some(existing))
}

async fn stream(settings: &NatsSettings, client: &Client) -> Result<Stream, String> {
    let context = jetstream::ContextBuilder::new().timeout(ANSWER_MAX).build(client.clone());
    let stream = context.get_stream(&settings.stream).await;
    stream.map_err(|error| format!("the stream {} cannot be used: {error}", settings.stream))
}

/// Removes the source's own consumer.
///
/// # Errors
/// The server cannot be reached or refuses.
pub(super) async fn forget(settings: &NatsSettings) -> Result<(), String> {
    if !settings.is_own {
        return Ok(());
    }
    let client = connect(settings, CancellationToken::new()).await?;
    match stream(settings, &client).await?.delete_consumer(&settings.durable).await {
        Ok(_) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()), // Another instance was first.
        Err(error) => Err(error.to_string()),
    }
}

fn is_absent(error: &jetstream::stream::ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == jetstream::ErrorCode::CONSUMER_NOT_FOUND)
}

fn taken(next: Option<Result<jetstream::Message, pull::MessagesError>>) -> Result<jetstream::Message, String> {
    match next {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(Connection::lost()),
    }
}

fn message(message: jetstream::Message) -> Message<Acker> {
    let (mut broker_message_id, mut identity) = (None, None);
    if let Ok(info) = message.info() {
        broker_message_id = Some(format!("{}:{}", info.stream, info.stream_sequence));
        // Its time tells it from one of a stream that was there before.
        let (sequence, at) = (info.stream_sequence.to_be_bytes(), info.published.unix_timestamp_nanos().to_be_bytes());
        identity = Some(Identity::of(&[info.stream.as_bytes(), &sequence, &at]));
    }
    let (message, acker) = message.split();
    let headers = message.headers.iter().flat_map(|headers| headers.iter()).filter_map(|(name, values)| {
        let value = values.first()?;
        Some((name.to_string(), value.as_str().to_owned()))
    });
    Message { headers: headers.collect(), broker_message_id, identity, ..Message::new(message.payload, acker) }
}
