//! The way in from the dashboard, whatever the names under which browsers know the two. The board sends a browser to the
//! dashboard with a challenge, whose answer is in a cookie of the board. The dashboard gives a ticket for that challenge to who
//! runs the instance; the board takes it once, within seconds, from the browser that has the answer, and makes a cookie of its
//! own for as long as the dashboard's session goes on. So a ticket that is seen on its way, or planted by somebody, opens
//! nothing.

use std::time::Duration;

use posthouse_boxed::boxed;
use posthouse_jobs::queue::Pass;
use posthouse_pages::job_board;
use posthouse_schema::{
    ids::{SessionId, UserId},
    plain_token::PlainToken,
    session,
};
use salvo::{
    http::header::{HeaderValue, LOCATION},
    prelude::*,
};
use serde::{Deserialize, Serialize};

use super::show;
use crate::{
    app::{App, app},
    auth,
    cookie::Cookie,
    error::ApiError,
};

/// What is told who is signed in and does not run the instance.
pub const REFUSAL: &str =
    "The job board is for those who run the instance, with the role instance_admin in an organisation.";
/// Where a ticket is shown.
pub const PATH: &str = "enter";

/// From the board to the dashboard and back, with signing in on the way.
const ANSWER_LIFE: Duration = Duration::from_secs(15 * 60);
/// From the dashboard's answer to the board's.
const TICKET_LIFE: Duration = Duration::from_secs(30);
/// As a working day; then the browser comes by the dashboard again, which asks nothing while its session goes on.
const VISIT_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// The hash of a token in hexadecimal digits.
const CHALLENGE_CHARS: usize = 64;

/// Lets the browser in that answers the challenge.
#[derive(Serialize, Deserialize)]
struct Ticket {
    challenge: String,
    visit: Visit,
}

impl Pass for Ticket {
    const KIND: &'static str = "board_ticket";
}

/// Somebody who came in, by a session of the dashboard.
#[derive(Serialize, Deserialize)]
struct Visit {
    session: SessionId,
    user: UserId,
}

impl Pass for Visit {
    const KIND: &'static str = "board_visit";
}

/// Answers the challenge.
fn answer_cookie(app: &App) -> Cookie {
    named("posthouse-board-entry", app)
}

/// Opens the board.
fn visit_cookie(app: &App) -> Cookie {
    named("posthouse-board", app)
}

/// Browsers come to the board by https where the setting `--board-url` says so.
fn named(name: &'static str, app: &App) -> Cookie {
    Cookie { name, is_secure: app.settings.board_url.as_ref().is_some_and(|url| url.scheme() == "https") }
}

fn token_of(cookie: &Cookie, req: &Request) -> Option<PlainToken> {
    PlainToken::parse(&cookie.read(req)?)
}

/// Sends the browser to the dashboard, which is there.
pub fn begin(res: &mut Response, app: &App, dashboard: &str) {
    let answer = PlainToken::generate();
    answer_cookie(app).set(res, answer.expose(), Some(ANSWER_LIFE.as_secs()));
    see_other(res, &format!("{dashboard}/admin/board?challenge={}", hex::encode(answer.hash())));
}

/// Where the dashboard leads who runs the instance: with a ticket to the board, or to the board for a challenge.
///
/// # Errors
/// 503 when Redis does not take the ticket.
pub async fn way_on(
    app: &App,
    board: &str,
    (challenge, session, user): (&str, SessionId, UserId),
) -> Result<String, ApiError> {
    if challenge.len() != CHALLENGE_CHARS || !challenge.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(format!("{board}/"));
    }
    let (token, visit) = (PlainToken::generate(), Visit { session, user });
    let ticket = Ticket { challenge: challenge.to_string(), visit };
    app.queues.keep_pass(&token.hash(), &ticket, TICKET_LIFE).await.map_err(ApiError::queue)?;
    Ok(format!("{board}/{PATH}?ticket={}", token.expose()))
}

/// Takes a ticket. The cookie that it gets the browser is a new one, whatever it had before.
#[handler]
#[boxed]
pub async fn enter(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let app = app(depot)?;
    let Some(visit) = taken(req, &app).await? else {
        let text = "The way in was used before, has taken too long, or was begun in another browser.";
        show(res, StatusCode::FORBIDDEN, job_board::refused(text, ("/", "Open the job board")));
        return Ok(());
    };
    let token = PlainToken::generate();
    app.queues.keep_pass(&token.hash(), &visit, VISIT_LIFE).await.map_err(ApiError::queue)?;
    answer_cookie(&app).clear(res);
    visit_cookie(&app).set(res, token.expose(), Some(VISIT_LIFE.as_secs()));
    see_other(res, "/");
    Ok(())
}

async fn taken(req: &Request, app: &App) -> Result<Option<Visit>, ApiError> {
    let Some(token) = req.query::<String>("ticket").and_then(|text| PlainToken::parse(&text)) else { return Ok(None) };
    let ticket = app.queues.take_pass::<Ticket>(&token.hash()).await.map_err(ApiError::queue)?;
    let answer = token_of(&answer_cookie(app), req).map(|answer| hex::encode(answer.hash()));
    Ok(ticket.filter(|ticket| answer.as_ref() == Some(&ticket.challenge)).map(|ticket| ticket.visit))
}

/// Lets through who came in by a session that goes on, and runs the instance now.
///
/// # Errors
/// 401 without such a visit; 403 for who no longer runs the instance; 503 when it cannot be checked.
pub async fn admit(req: &Request, app: &App) -> Result<(), ApiError> {
    let token = token_of(&visit_cookie(app), req).ok_or(ApiError::Unauthenticated)?;
    let visit = app.queues.pass::<Visit>(&token.hash()).await.map_err(ApiError::queue)?;
    let Visit { session, user } = visit.ok_or(ApiError::Unauthenticated)?;
    let is_live = session::is_live(&mut *app.conn().await?, session, user).await?;
    if !is_live {
        return Err(ApiError::Unauthenticated);
    }
    auth::permit_instance(app, user).await
}

/// Sends the browser on, to an address of ours.
pub fn see_other(res: &mut Response, to: &str) {
    res.status_code(StatusCode::SEE_OTHER);
    if let Ok(to) = HeaderValue::from_str(to) {
        res.headers_mut().insert(LOCATION, to);
    }
}
