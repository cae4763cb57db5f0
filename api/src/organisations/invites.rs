//! Invitations: make, list, send again, take back; and answer, by the token of the mail.

use std::time::Duration;

use posthouse_boxed::boxed;
use posthouse_schema::{
    DatabaseErrorKind, QueryError,
    ids::InviteId,
    invite::{Invite, Invitee},
    member,
    plain_token::PlainToken,
    user::{self, NewUser, User},
    words::Role,
};
use salvo::prelude::*;

use super::wire::{FoundInviteWire, InviteBody, InviteWire, InviteeBody, granted};
use crate::{
    accounts::{self, input, mail},
    app::{App, app},
    auth::{
        self,
        throttle::{self, Limit},
    },
    body::{parse, read, read_json},
    error::{ApiError, ApiResult},
    query::{self, Paged},
    reply::{NoData, Reply},
};

const INVITE_LIFE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Mails that one organisation sends within 15 minutes.
const MAILS_MAX: i32 = 50;

const BAD_TOKEN: &str = "token: it is not valid, or no longer";

/// The routes below an organisation.
pub fn router() -> Router {
    Router::with_path("invites").post(create_invite).push(Router::with_path("pending").get(list_invites)).push(
        Router::with_path("{invite_id}")
            .push(Router::with_path("resend").post(resend_invite))
            .push(Router::with_path("cancel").post(cancel_invite)),
    )
}

/// Invites somebody
///
/// Mails a link that is valid for 14 days. The token is in this answer too, for installations that send no mail.
#[endpoint(tags("Organisations"), operation_id = "InviteUser", request_body = InviteBody)]
#[boxed]
pub async fn create_invite(req: &mut Request, depot: &mut Depot) -> ApiResult<FoundInviteWire> {
    let (app, organisation, _) = auth::member(req, depot, Role::is_admin).await?;
    let body: InviteBody = read_json(req, &app).await?;
    let email = input::email("invitee_email", body.invitee_email)?;
    // Who is to run the instance is made so when they are a member: a mail's link is not worth that much.
    let role = granted(body.role, Role::OrganisationAdmin)?;
    throttle::count(&app, &[Limit::new(MAILS_MAX, &["invites of", &organisation.id.to_string()])]).await?;
    let mut conn = app.conn().await?;
    if let Some(known) = user::find_by_email(&mut conn, &email).await?
        && member::find(&mut conn, organisation.id, known).await?.is_some()
    {
        return Err(ApiError::invalid("invitee_email: they are a member already"));
    }
    let made = Invite::insert(&mut conn, organisation.id, &email, role, INVITE_LIFE).await;
    let (row, token) = made.map_err(pending_already)?;
    drop(conn);
    send(&app, &row, &organisation.name, &token).await;
    let token = InviteWire::new(row, Some(&token), None);
    Ok(Reply::created("invite created successfully", FoundInviteWire { token, user: None }))
}

/// Lists pending invitations
#[endpoint(tags("Organisations"), operation_id = "GetPendingInvites")]
#[boxed]
pub async fn list_invites(req: &mut Request, depot: &mut Depot) -> ApiResult<Paged<InviteWire>> {
    let (app, organisation, _) = auth::member(req, depot, Role::is_admin).await?;
    let page = query::page::<InviteId>(req)?;
    let rows = Invite::list_pending(&mut *app.conn().await?, organisation.id, &page).await?;
    let paged = Paged::new(&page, rows, |row| row.id.to_string(), |row| InviteWire::new(row, None, None));
    Ok(Reply::ok("Invites fetched successfully", paged))
}

/// Sends an invitation again
///
/// With a new token, valid for 14 days; the old one is void.
#[endpoint(tags("Organisations"), operation_id = "ResendInvite")]
#[boxed]
pub async fn resend_invite(req: &mut Request, depot: &mut Depot) -> ApiResult<InviteWire> {
    let (app, organisation, _) = auth::member(req, depot, Role::is_admin).await?;
    let id = id(req)?;
    throttle::count(&app, &[Limit::new(MAILS_MAX, &["invites of", &organisation.id.to_string()])]).await?;
    let renewed = Invite::renew(&mut *app.conn().await?, organisation.id, id, INVITE_LIFE).await?;
    let (row, token) = renewed.ok_or_else(unknown)?;
    send(&app, &row, &organisation.name, &token).await;
    Ok(Reply::ok("invite resent successfully", InviteWire::new(row, Some(&token), None)))
}

/// Takes an invitation back
#[endpoint(tags("Organisations"), operation_id = "CancelInvite")]
#[boxed]
pub async fn cancel_invite(req: &mut Request, depot: &mut Depot) -> ApiResult<InviteWire> {
    let (app, organisation, _) = auth::member(req, depot, Role::is_admin).await?;
    let row = Invite::cancel(&mut *app.conn().await?, organisation.id, id(req)?).await?.ok_or_else(unknown)?;
    Ok(Reply::ok("invite cancelled successfully", InviteWire::new(row, None, None)))
}

/// Reads an invitation by its token
///
/// Query: `token`. `user` is there when the invited address has an account.
#[endpoint(tags("Organisations"), operation_id = "FindUserByInviteToken")]
#[boxed]
pub async fn find_invite(req: &mut Request, depot: &mut Depot) -> ApiResult<FoundInviteWire> {
    let app = app(depot)?;
    let (_, row, organisation) = by_token(req, &app).await?;
    let mut conn = app.conn().await?;
    let user = match user::find_by_email(&mut conn, &row.invitee_email).await? {
        Some(id) => User::find(&mut conn, id).await?,
        None => None,
    };
    let token = InviteWire::new(row, None, Some(organisation));
    Ok(Reply::ok("retrieved user", FoundInviteWire { token, user: user.map(Into::into) }))
}

/// Answers an invitation
///
/// Query: `token`, and `accepted` (`true` or `false`). Who has no account gives names and a password in the body.
#[endpoint(tags("Organisations"), operation_id = "ProcessInvite", request_body = InviteeBody)]
#[boxed]
pub async fn process_invite(req: &mut Request, depot: &mut Depot) -> ApiResult<NoData> {
    let app = app(depot)?;
    let (token, row, _) = by_token(req, &app).await?;
    let is_accepted = match query::one(req, "accepted").as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => return Err(ApiError::invalid("accepted: true or false is expected")),
    };
    let gone = || ApiError::invalid(BAD_TOKEN);
    if !is_accepted {
        let declined = Invite::decline(&mut *app.conn().await?, &token).await?;
        return if declined { Ok(Reply::ok("invite processed successfully", NoData)) } else { Err(gone()) };
    }
    let known = user::find_by_email(&mut *app.conn().await?, &row.invitee_email).await?;
    let invitee = match known {
        Some(id) => Invitee::Known(id),
        None => Invitee::New(new_user(req, &app, row.invitee_email).await?),
    };
    let accepted = Invite::accept(&mut *app.conn().await?, &token, &invitee).await;
    accepted.map_err(accounts::address_taken)?.ok_or_else(gone)?;
    Ok(Reply::ok("invite processed successfully", NoData))
}

async fn new_user(req: &mut Request, app: &App, email: String) -> Result<NewUser, ApiError> {
    let bytes = read(req, app).await?;
    let body: InviteeBody = if bytes.is_empty() { InviteeBody::default() } else { parse(&bytes)? };
    if body.email.is_some_and(|given| !given.trim().eq_ignore_ascii_case(&email)) {
        return Err(ApiError::invalid("email: another address was invited"));
    }
    let first_name = input::name("first_name", body.first_name, "please provide your first name")?;
    let last_name = input::name("last_name", body.last_name, "please provide your last name")?;
    let password = input::new_password("password", body.password)?;
    let password_hash = Some(app.passwords.hash(password).await?);
    Ok(NewUser { first_name, last_name, email, password_hash })
}

async fn by_token(req: &Request, app: &App) -> Result<(PlainToken, Invite, String), ApiError> {
    let gone = || ApiError::invalid(BAD_TOKEN);
    let token = query::one(req, "token").and_then(|text| PlainToken::parse(&text)).ok_or_else(gone)?;
    let (row, organisation) = Invite::find_by_token(&mut *app.conn().await?, &token).await?.ok_or_else(gone)?;
    Ok((token, row, organisation))
}

/// The invitation is there already; where its mail fails it can be sent again.
async fn send(app: &App, row: &Invite, organisation: &str, token: &PlainToken) {
    if let Err(error) = mail::invite(app, &row.invitee_email, organisation, token).await {
        tracing::warn!(invite.id = %row.id, error = %error, "The mail of an invitation could not be sent.");
    }
}

fn id(req: &Request) -> Result<InviteId, ApiError> {
    req.param::<String>("invite_id").and_then(|id| id.parse().ok()).ok_or_else(unknown)
}

fn unknown() -> ApiError {
    ApiError::NotFound("pending invite not found")
}

fn pending_already(error: QueryError) -> ApiError {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            ApiError::invalid("invitee_email: an invite for this address is pending; resend or cancel it")
        }
        other => other.into(),
    }
}
