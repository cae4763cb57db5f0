//! Why a request failed. The one place where failures meet HTTP: everything below 500 names what the caller can change,
//! everything above says only that it is our fault, and the cause goes into the log.

use std::{borrow::Cow, time::Duration};

use posthouse_schema::{QueryError, deadline, pool::PoolError, sealed::Unopened};
use salvo::{
    http::header::{HeaderValue, RETRY_AFTER},
    oapi::{Components, EndpointOutRegister, Operation, ToSchema},
    prelude::*,
};

use crate::{
    limits,
    reply::{ErrorBody, render},
};

/// What a handler answers.
pub type ApiResult<T> = Result<crate::reply::Reply<T>, ApiError>;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400. The text is for the caller and names the field.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// 401. Missing or malformed credentials.
    #[error("Authentication required")]
    Unauthenticated,
    /// 401. Unknown, wrong, expired and revoked credentials look the same.
    #[error("authorization failed")]
    BadCredentials,
    /// 401. The holder of a portal link asks for what the link does not open, contract section 1.2.
    #[error("unauthorized")]
    OutOfReach,
    /// 403. Known, but not allowed.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 404. Also when the resource belongs to another project.
    #[error("{0}")]
    NotFound(&'static str),
    /// 404. The text names what the caller called it.
    #[error("{0}")]
    Missing(String),
    /// 413.
    #[error("request body too large: at most {0} bytes are accepted")]
    TooLarge(usize),
    /// 429. Too many requests in this minute.
    #[error("exceeded rate limit")]
    TooMany {
        /// Requests in a minute.
        limit: u64,
        /// Seconds until there may be more.
        seconds: u64,
    },
    /// 429. Tried too often; when to come back.
    #[error("too many attempts, try again later")]
    TooManyAttempts(Duration),
    /// 429. The source takes no more requests for so long.
    #[error("the source has taken in as much as its rate limit allows")]
    SourceFull(Duration),
    /// 503. Something that we need is away; nothing was accepted.
    #[error("{what} is unavailable, try again")]
    Unavailable {
        /// What.
        what: &'static str,
        /// Why, for the log.
        #[source]
        cause: anyhow::Error,
    },
    /// 503. The event is queued, and whether it is stored could not be learned in time.
    #[error("the event is queued, but it could not be confirmed in time that it is stored")]
    Unconfirmed,
    /// 504. A list or a search would have taken too long, and was ended.
    #[error("Search took too long. Narrow the time range or search term.")]
    TooSlow,
    /// 500. The cause is logged and never sent.
    #[error("internal server error")]
    Internal(#[source] anyhow::Error),
}

impl ApiError {
    /// 400 with this text.
    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }

    /// The event could not be enqueued: the caller must not believe that it was.
    pub fn queue(error: posthouse_jobs::QueueError) -> Self {
        Self::Unavailable { what: "the queue", cause: error.into() }
    }

    /// Its status code.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::BadCredentials | Self::OutOfReach => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany { .. } | Self::TooManyAttempts(_) | Self::SourceFull(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooSlow => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Logs what is our fault.
    pub fn log(&self) {
        match self {
            Self::Internal(cause) => tracing::error!(error = format!("{cause:#}"), "A request failed."),
            Self::Unavailable { what, cause } => {
                tracing::error!(what, error = format!("{cause:#}"), "A request could not be served.");
            }
            _ => {}
        }
    }

    /// Writes the answer.
    pub fn answer(&self, res: &mut Response) {
        self.log();
        match self {
            Self::TooMany { limit, seconds } => return limits::answer(res, *limit, *seconds, self.to_string()),
            Self::Unavailable { .. } => {
                res.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::TooManyAttempts(wait) | Self::SourceFull(wait) => {
                let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
                res.headers_mut().insert(RETRY_AFTER, seconds);
            }
            _ => {}
        }
        render(res, self.status(), &ErrorBody { status: false, message: self.to_string() });
    }
}

/// A stored secret that this instance cannot read is read by one that was given its key.
impl From<Unopened> for ApiError {
    fn from(error: Unopened) -> Self {
        Self::Unavailable { what: "a stored secret", cause: error.into() }
    }
}

/// A statement that fails for want of a connection is a matter of time; any other failure is ours.
impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        use posthouse_schema::DatabaseErrorKind as Kind;
        match &error {
            _ if deadline::has_passed(&error) => Self::TooSlow,
            QueryError::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | QueryError::BrokenTransactionManager => Self::Unavailable { what: "the database", cause: error.into() },
            // An administrator's shutdown ends statements with this text and no kind of its own.
            QueryError::DatabaseError(Kind::Unknown, info)
                if ["terminating connection", "closed", "statement timeout"]
                    .iter()
                    .any(|text| info.message().contains(text)) =>
            {
                Self::Unavailable { what: "the database", cause: error.into() }
            }
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        Self::Unavailable { what: "the database", cause: anyhow::anyhow!("{error}") }
    }
}

#[async_trait]
impl Writer for ApiError {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        self.answer(res);
    }
}

impl EndpointOutRegister for ApiError {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = ErrorBody::to_schema(components);
        for (code, text) in [
            ("400", "The request is not valid; the message names the field and the reason."),
            ("401", "The credentials are missing, or not valid."),
            ("403", "The credentials do not allow this."),
            ("404", "There is no such resource in this project."),
            ("413", "The body is too large."),
            ("415", "The body is not JSON."),
            ("429", "Too many requests; `Retry-After` says when to go on."),
            ("500", "Our fault; the cause is logged."),
            ("503", "The database or the queue is unavailable; nothing was accepted."),
            ("504", "A list or a search took too long, and was ended."),
        ] {
            let response = salvo::oapi::Response::new(text).add_content("application/json", schema.clone());
            operation.responses.insert(code, response);
        }
    }
}
