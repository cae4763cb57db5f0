//! How many requests a key and a project may send, contract section 1.7. Events count for their project, however they come
//! in; all other requests below a project count for their key.

mod buckets;

use chrono::Utc;
use posthouse_boxed::boxed;
use posthouse_jobs::Queues;
use posthouse_schema::ids::ProjectId;
use salvo::{
    http::{
        Method,
        header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER},
    },
    prelude::*,
};
use sha2::{Digest as _, Sha256};

use self::buckets::{Buckets, Verdict, WINDOW};
use crate::{
    app::{App, app},
    auth::Caller,
    error::ApiError,
    reply::{ErrorBody, render},
};

/// Requests a minute; 0 for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct LimitSettings {
    /// Requests that one key may send in a minute, events not counted; 0 for no limit.
    #[arg(long, env = "POSTHOUSE_API_KEY_REQUESTS_PER_MINUTE", default_value_t = 600_000)]
    pub key_requests_per_minute: u64,
    /// Events that one project may take in within a minute, from its own services and from providers; 0 for no limit.
    #[arg(long, env = "POSTHOUSE_API_PROJECT_EVENTS_PER_MINUTE", default_value_t = 6_000_000)]
    pub project_events_per_minute: u64,
}

/// The limits of all keys and projects.
pub struct Limits {
    requests: Buckets,
    events: Buckets,
}

impl Limits {
    /// Limits that all instances on this Redis share.
    #[must_use]
    pub fn new(queues: &Queues, settings: LimitSettings) -> Self {
        Self {
            requests: Buckets::new(queues.clone(), "requests", settings.key_requests_per_minute),
            events: Buckets::new(queues.clone(), "events", settings.project_events_per_minute),
        }
    }

    /// Takes an event from the project's limit.
    ///
    /// # Errors
    /// 429.
    pub async fn event(&self, project: ProjectId) -> Result<(), ApiError> {
        self.event_at(project, now()).await
    }

    /// The same at `seconds` of Unix time.
    ///
    /// # Errors
    /// 429.
    pub async fn event_at(&self, project: ProjectId, seconds: u64) -> Result<(), ApiError> {
        passed(self.events.take(&project.to_string(), seconds).await)
    }
}

/// Refuses a request of a known caller beyond the limits.
#[handler]
#[boxed]
pub async fn hold_to_limits(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let verdict = match app(depot) {
        Ok(app) => judge(req, depot, &app).await,
        Err(error) => Err(error),
    };
    if let Err(error) = verdict {
        error.answer(res);
        ctrl.skip_rest();
    }
}

async fn judge(req: &Request, depot: &Depot, app: &App) -> Result<(), ApiError> {
    if makes_event(req) {
        let project = match depot.get_typed::<Caller>() {
            Ok(Caller::Project { project, .. }) => Some(*project),
            _ => req.param::<String>("project_id").and_then(|id| id.parse().ok()),
        };
        // A request for no project at all is refused by its handler.
        return match project {
            Some(project) => app.limits.event(project).await,
            None => Ok(()),
        };
    }
    let Some(credential) = req.headers().get(AUTHORIZATION) else { return Ok(()) };
    let bucket = hex::encode(Sha256::digest(credential.as_bytes()));
    passed(app.limits.requests.take(&bucket, now()).await)
}

fn makes_event(req: &Request) -> bool {
    let kind = req.matched_path().rsplit_once("/{project_id}/").map(|(_, rest)| rest);
    *req.method() == Method::POST
        && kind.is_some_and(|rest| {
            ["events", "events/fanout", "events/broadcast", "events/dynamic"].contains(&rest.trim_end_matches('/'))
        })
}

fn passed(verdict: Verdict) -> Result<(), ApiError> {
    match verdict {
        Verdict::Passed => Ok(()),
        Verdict::Refused { limit, seconds } => Err(ApiError::TooMany { limit, seconds }),
    }
}

fn now() -> u64 {
    u64::try_from(Utc::now().timestamp()).unwrap_or_default()
}

/// Writes the answer to a request beyond a limit: the contract's headers, and those of the IETF's draft.
pub fn answer(res: &mut Response, limit: u64, seconds: u64, message: String) {
    let window = WINDOW.as_secs();
    for (name, value) in [
        (HeaderName::from_static("x-ratelimit-limit"), limit.to_string()),
        (HeaderName::from_static("x-ratelimit-remaining"), "0".into()),
        (HeaderName::from_static("x-ratelimit-reset"), seconds.to_string()),
        (HeaderName::from_static("ratelimit-policy"), format!("\"default\";q={limit};w={window}")),
        (HeaderName::from_static("ratelimit"), format!("\"default\";r=0;t={seconds}")),
        (RETRY_AFTER, seconds.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            res.headers_mut().insert(name, value);
        }
    }
    render(res, StatusCode::TOO_MANY_REQUESTS, &ErrorBody { status: false, message });
}
