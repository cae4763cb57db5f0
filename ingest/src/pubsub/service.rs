//! The service's procedures, called by one account for one subscription.

use std::time::Duration;

use googleapis_tonic_google_pubsub_v1::google::pubsub::v1::{
    AcknowledgeRequest, ModifyAckDeadlineRequest, PullRequest, ReceivedMessage, subscriber_client::SubscriberClient,
};
use hyper_util::rt::TokioIo;
use posthouse_broker_settings::{Endpoint, GoogleSettings};
use rustls::ClientConfig;
use tokio::time::timeout;
use tonic::{
    Code, Response, Status,
    service::interceptor::InterceptedService,
    transport::{self, Channel, Uri},
};
use tower::service_fn;

use super::token::Bearer;
use crate::broker::{self, Problem, Reach, Step, client_config, innermost};

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Most names of leases in one request: 2,500 by the service's own rule.
const REQUEST_MAX: usize = 1_000;
/// Largest answer; a message may have 10 MB.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How much may be under way: the protocol's own 64 KiB would make a distant service slow.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// How often a connection without traffic is probed.
const PROBED_EVERY: Duration = Duration::from_secs(300);
/// What is shown of the service's own words, in characters.
const WORDS_MAX: usize = 300;
const HOST: &str = "pubsub.googleapis.com";
const PORT: u16 = 443;

pub(super) type Client = SubscriberClient<InterceptedService<Channel, Bearer>>;

/// One subscription at the service.
#[derive(Clone)]
pub(super) struct Service {
    pub client: Client,
    /// The subscription's whole name.
    pub subscription: String,
    /// How long a message is ours after each extension.
    pub lease: Duration,
}

impl Service {
    /// Connects.
    ///
    /// # Errors
    /// The service cannot be reached, or the key or the certificate authority is none.
    pub(super) async fn connect(settings: &GoogleSettings) -> Result<Self, String> {
        let bearer = Bearer::new(&settings.service_account)?;
        let (place, tls) = (place(settings), tls(settings)?);
        let endpoint = transport::Endpoint::from_shared(place.to_string()).map_err(|error| innermost(&error))?;
        let endpoint = endpoint
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(PROBED_EVERY)
            .keep_alive_timeout(ANSWER_MAX)
            .keep_alive_while_idle(true);
        let connector = service_fn(move |_: Uri| {
            let (place, tls) = (place.clone(), tls.clone());
            async move {
                let wire = broker::connect(&place.host, place.port, tls).await;
                wire.map(TokioIo::new).map_err(std::io::Error::other)
            }
        });
        let channel = endpoint.connect_with_connector(connector).await.map_err(|error| innermost(&error))?;
        let client = SubscriberClient::with_interceptor(channel, bearer).max_decoding_message_size(ANSWER_BYTES_MAX);
        let subscription = format!("projects/{}/subscriptions/{}", settings.project, settings.subscription);
        Ok(Self { client, subscription, lease: settings.redeliver_after })
    }

    /// At most one message, without waiting for it: says whether the subscription can be read.
    pub(super) async fn look(&self) -> Result<Vec<ReceivedMessage>, String> {
        let messages = answered(self.client.clone().pull(self.look_request())).await?.received_messages;
        // The subscription's own lease may be shorter.
        self.extend(messages.iter().map(|message| message.ack_id.clone()).collect()).await?;
        Ok(messages)
    }

    #[expect(deprecated, reason = "nothing else tells at once whether an account may read a subscription")]
    fn look_request(&self) -> PullRequest {
        PullRequest { subscription: self.subscription.clone(), return_immediately: true, max_messages: 1 }
    }

    /// Answers these messages: they do not come again.
    pub(super) async fn acknowledge(&self, ack_ids: Vec<String>) -> Result<(), String> {
        for ack_ids in ack_ids.chunks(REQUEST_MAX) {
            let request = AcknowledgeRequest { subscription: self.subscription.clone(), ack_ids: ack_ids.to_vec() };
            answered(self.client.clone().acknowledge(request)).await?;
        }
        Ok(())
    }

    /// Keeps these messages for the whole time from now on.
    pub(super) async fn extend(&self, ack_ids: Vec<String>) -> Result<(), String> {
        self.lease_for(self.lease, ack_ids).await
    }

    /// Gives these messages back, to come again at once.
    pub(super) async fn give_back(&self, ack_ids: Vec<String>) -> Result<(), String> {
        self.lease_for(Duration::ZERO, ack_ids).await
    }

    async fn lease_for(&self, time: Duration, ack_ids: Vec<String>) -> Result<(), String> {
        for ack_ids in ack_ids.chunks(REQUEST_MAX) {
            let request = ModifyAckDeadlineRequest {
                subscription: self.subscription.clone(),
                ack_ids: ack_ids.to_vec(),
                ack_deadline_seconds: seconds(time),
            };
            answered(self.client.clone().modify_ack_deadline(request)).await?;
        }
        Ok(())
    }
}

fn place(settings: &GoogleSettings) -> Endpoint {
    settings.endpoint.clone().unwrap_or_else(|| Endpoint { is_tls: true, host: HOST.to_owned(), port: PORT })
}

/// The encryption that the address asks for.
fn tls(settings: &GoogleSettings) -> Result<Option<ClientConfig>, String> {
    if !place(settings).is_tls {
        return Ok(None);
    }
    let mut tls = client_config(settings.ca_certificate.as_deref(), "pub_sub.google.ca_certificate")?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(tls))
}

/// Where the service listens.
pub(super) fn reach(settings: &GoogleSettings) -> Result<Reach, String> {
    let place = place(settings);
    Ok(Reach { addresses: vec![(place.host, place.port)], tls: tls(settings)?, greets: false })
}

/// Signs in and asks for a message, which is given back at once.
pub(super) async fn check(settings: &GoogleSettings) -> Result<Vec<String>, Problem> {
    let service = Service::connect(settings).await.map_err(|reason| Problem::at(Step::Connect, reason))?;
    let looked = timeout(ANSWER_MAX, Box::pin(service.client.clone().pull(service.look_request()))).await;
    let looked = looked.map_err(|_| Problem::at(Step::SignIn, "the service did not answer in time"))?;
    let brought = looked.map_err(|status| {
        let step = match status.code() {
            Code::NotFound | Code::PermissionDenied | Code::FailedPrecondition => Step::Open,
            _ => Step::SignIn,
        };
        Problem::at(step, words(&status))
    })?;
    let brought = brought.into_inner().received_messages.into_iter().map(|message| message.ack_id).collect();
    service.give_back(brought).await.map_err(|reason| Problem::at(Step::Open, reason))?;
    Ok(Vec::new())
}

/// Whole seconds as the service counts them.
pub(super) fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

async fn answered<T>(asked: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, Box::pin(asked)).await {
        Ok(answer) => answer.map(Response::into_inner).map_err(|status| words(&status)),
        Err(_) => Err("the service did not answer in time".to_owned()),
    }
}

/// The service's own words where it gave some.
pub(super) fn words(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => format!("the service cannot be used: {}", innermost(cause)),
        None => {
            let message: String = status.message().chars().take(WORDS_MAX).collect();
            format!("the service refuses: {:?}: {message}", status.code())
        }
    }
}
