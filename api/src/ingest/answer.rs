//! What providers hear. Some want an answer of their own kind, so not all are in the API's envelope.

use salvo::{
    http::header::{CONTENT_TYPE, HeaderValue},
    oapi::{Components, EndpointOutRegister, Operation, RefOr, ToSchema},
    prelude::*,
};
use serde::Serialize;
use serde_json::json;

use super::source::CustomResponse;
use crate::reply::{Reply, render};

/// The answer to a request that was taken in.
pub enum IngestAnswer {
    /// A new event of so many bytes.
    Received(usize),
    /// A repeat; it is stored, and not delivered.
    Duplicate(usize),
    /// The source's own answer, repeat or not.
    Custom(CustomResponse),
    /// Slack asks whether the URL is ours; there is no event.
    SlackChallenge(String),
}

#[async_trait]
impl Writer for IngestAnswer {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Received(length) => Reply::ok("Event received", length).write(req, depot, res).await,
            Self::Duplicate(length) => {
                Reply::ok("Duplicate event received, but will not be sent", length).write(req, depot, res).await;
            }
            Self::Custom(custom) => {
                res.status_code(StatusCode::OK);
                res.headers_mut().insert(CONTENT_TYPE, custom.content_type);
                res.body(custom.body);
            }
            Self::SlackChallenge(challenge) => render(res, StatusCode::OK, &json!({"challenge": challenge})),
        }
    }
}

impl EndpointOutRegister for IngestAnswer {
    fn register(components: &mut Components, operation: &mut Operation) {
        Reply::<usize>::register(components, operation);
    }
}

/// The answer to Twitter's challenge.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChallengeAnswer {
    /// `sha256=` and the base64 of the HMAC of the challenge.
    pub response_token: String,
}

#[async_trait]
impl Writer for ChallengeAnswer {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        render(res, StatusCode::OK, &self);
        res.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    }
}

impl EndpointOutRegister for ChallengeAnswer {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema: RefOr<salvo::oapi::Schema> = Self::to_schema(components);
        let response = salvo::oapi::Response::new("Answered.").add_content("application/json", schema);
        operation.responses.insert("200", response);
    }
}
