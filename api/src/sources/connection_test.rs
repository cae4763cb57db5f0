//! Whether a source's broker can be read. An instance of ingest tries it: this role has neither the clients nor always a way
//! to the broker.

use std::time::Duration;

use posthouse_boxed::boxed;
use posthouse_jobs::queue::{ConnectionTest, ConnectionTestResult, ConnectionTestState};
use posthouse_schema::{
    ids::{ProjectId, SourceId},
    source::Source,
    words::SourceKind,
};
use salvo::{oapi::ToSchema, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{UNKNOWN, broker, id};
use crate::{
    app::App,
    auth::{Need, authorized},
    body::{parse, read, read_json},
    error::{ApiError, ApiResult},
    reply::Reply,
};

/// How often is looked for the answer.
const PAUSE: Duration = Duration::from_millis(100);
/// How long is waited for an instance that takes the request; they look four times a second.
const TAKEN_MAX: Duration = Duration::from_secs(5);
/// How long is waited for its answer. It gives up before.
const ANSWERED_MAX: Duration = Duration::from_secs(25);
/// The step that failed where no instance came.
const NO_INGEST: (&str, &str) = ("ingest", "no instance of ingest answered; is one running?");

/// The settings to try.
#[derive(Deserialize, ToSchema)]
pub struct ConnectionTestBody {
    /// The broker, as for a new source.
    pub pub_sub: Option<Value>,
}

/// Whether a source's broker can be read.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConnectionTestWire {
    /// Whether it can.
    pub is_ok: bool,
    /// The step that failed: `settings`, `resolve` (the broker's name), `connect`, `encrypt` (with its certificate), `sign_in`,
    /// `open` (the topic, queue or stream, and the permission to read it), or `ingest` where no instance of it answered.
    pub failed_step: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What there is to know although it works, such as that the source will make its queue.
    pub notes: Vec<String>,
    /// How long the test took.
    pub duration_ms: u64,
}

/// Tests the connection of a source
///
/// By the settings that are stored, or by those of the body, where a hidden secret means the stored one. Takes no message, and
/// leaves the source as it is.
#[endpoint(tags("Sources"), operation_id = "TestSourceConnection", request_body = ConnectionTestBody)]
#[boxed]
pub async fn test_source(req: &mut Request, depot: &mut Depot) -> ApiResult<ConnectionTestWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let row = Source::find(&mut *app.conn().await?, project.id, id(req)?).await?.ok_or(UNKNOWN)?;
    if row.kind != SourceKind::PubSub {
        return Err(ApiError::invalid("type: only a source of type pub_sub has a broker"));
    }
    let bytes = read(req, &app).await?;
    let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
    let given = if is_empty { None } else { parse::<ConnectionTestBody>(&bytes)?.pub_sub };
    let stored = row.pub_sub()?;
    let pub_sub = given.map(|given| broker::checked(Some(given), stored.as_ref())).transpose()?;
    let result = test(&app, project.id, row.id, pub_sub.as_ref()).await?;
    Ok(Reply::ok("Source tested successfully", result))
}

/// Tests settings of a source before they are stored
#[endpoint(tags("Sources"), operation_id = "TestSourceSettings", request_body = ConnectionTestBody)]
#[boxed]
pub async fn test_settings(req: &mut Request, depot: &mut Depot) -> ApiResult<ConnectionTestWire> {
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let body: ConnectionTestBody = read_json(req, &app).await?;
    let pub_sub = broker::checked(body.pub_sub, None)?;
    let result = test(&app, project.id, SourceId::generate(), Some(&pub_sub)).await?;
    Ok(Reply::ok("Source tested successfully", result))
}

/// Refuses settings by which a new source could not be read.
///
/// # Errors
/// 400 with the step that failed and the reason.
pub(super) async fn require(app: &App, project: ProjectId, pub_sub: &Value) -> Result<(), ApiError> {
    let result = test(app, project, SourceId::generate(), Some(pub_sub)).await?;
    match (result.failed_step, result.reason) {
        (Some(step), reason) => {
            let reason = reason.unwrap_or_default();
            Err(ApiError::invalid(format!("pub_sub: the broker cannot be read ({step}): {reason}")))
        }
        (None, _) => Ok(()),
    }
}

/// Has an instance of ingest try it.
async fn test(
    app: &App,
    project: ProjectId,
    source: SourceId,
    pub_sub: Option<&Value>,
) -> Result<ConnectionTestWire, ApiError> {
    let test = ConnectionTest::new(project, source, pub_sub).map_err(ApiError::queue)?;
    let started = Instant::now();
    app.queues.ask_connection_test(&test).await.map_err(ApiError::queue)?;
    loop {
        sleep(PAUSE).await;
        let waited = started.elapsed();
        match app.queues.connection_test_state(&test.id).await.map_err(ApiError::queue)? {
            ConnectionTestState::Done(result) => return Ok(result.into()),
            ConnectionTestState::Waiting
                if waited >= TAKEN_MAX
                    && app.queues.withdraw_connection_test(&test).await.map_err(ApiError::queue)? =>
            {
                return Ok(unanswered(waited));
            }
            ConnectionTestState::Waiting | ConnectionTestState::Taken if waited >= ANSWERED_MAX => {
                return Ok(unanswered(waited));
            }
            ConnectionTestState::Waiting | ConnectionTestState::Taken => {}
        }
    }
}

fn unanswered(waited: Duration) -> ConnectionTestWire {
    let (step, reason) = NO_INGEST;
    ConnectionTestWire {
        is_ok: false,
        failed_step: Some(step.to_owned()),
        reason: Some(reason.to_owned()),
        notes: Vec::new(),
        duration_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
    }
}

impl From<ConnectionTestResult> for ConnectionTestWire {
    fn from(result: ConnectionTestResult) -> Self {
        let ConnectionTestResult { failed_step, reason, notes, duration_ms } = result;
        Self { is_ok: failed_step.is_none(), failed_step, reason, notes, duration_ms }
    }
}
