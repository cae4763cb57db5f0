//! Who reads: recognised by a random cookie of which only the hash is stored. Every signing in makes a new one, so that a
//! cookie which somebody planted before opens nothing.

use std::time::Duration;

use posthouse_boxed::boxed;
use posthouse_pages::frame::{Flash, Theme};
use posthouse_schema::{
    browser_session::{self, Life},
    ids::{SessionId, UserId},
    plain_token::PlainToken,
    user::User,
};
use salvo::{http::uri::PathAndQuery, prelude::*};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    answer::{PageError, Redirection},
    cookies,
    origin::Origin,
};
use crate::{
    app::{App, app},
    auth::Caller,
};

/// Sessions go on for a day without being used, and for 30 days in all.
pub const LIFE: Life = Life { idle: Duration::from_secs(24 * 60 * 60), whole: Duration::from_secs(30 * 24 * 60 * 60) };
const MASK_BYTES: usize = 16;

/// A session that goes on.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub id: SessionId,
    /// Whose.
    pub user: User,
    cookie: PlainToken,
}

impl SignedIn {
    /// What forms of this session show: bound to its cookie, and masked anew for every page, so that the size of a
    /// compressed page tells nothing of it.
    pub fn token(&self) -> String {
        let mask: [u8; MASK_BYTES] = rand::random();
        let masked: Vec<u8> = self.secret().iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        format!("{}{}", hex::encode(mask), hex::encode(masked))
    }

    /// Whether a form's token is of this session.
    pub fn is_token(&self, given: &str) -> bool {
        let Ok(bytes) = hex::decode(given) else { return false };
        let Some((mask, masked)) = bytes.split_at_checked(MASK_BYTES) else { return false };
        if masked.len() != MASK_BYTES {
            return false;
        }
        let secret: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        secret.ct_eq(&self.secret()).into()
    }

    fn secret(&self) -> [u8; MASK_BYTES] {
        let digest = Sha256::new().chain_update(b"form token\0").chain_update(self.cookie.expose()).finalize();
        std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
    }
}

/// What is known of who reads.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    /// The session, for who is signed in.
    pub session: Option<SignedIn>,
    /// The colours.
    pub theme: Theme,
    /// What was just done.
    pub flash: Option<Flash>,
    /// Path and query of the page.
    pub here: String,
    /// Where the request came from.
    pub origin: Origin,
}

/// What is known of who reads this page.
pub fn visitor(depot: &Depot) -> Visitor {
    depot.get_typed::<Visitor>().cloned().unwrap_or_default()
}

/// Recognises who reads. What was just done is told once.
#[handler]
#[boxed]
pub async fn recognise(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let app = match app(depot) {
        Ok(app) => app,
        Err(error) => return refuse(error.into(), (req, depot, res), ctrl).await,
    };
    let flash = cookies::flash(&app).read(req);
    let mut visitor = Visitor {
        session: None,
        theme: cookies::theme(&app).read(req).and_then(|word| Theme::parse(&word)).unwrap_or_default(),
        flash: flash.as_deref().and_then(cookies::decode),
        here: req.uri().path_and_query().map_or_else(|| "/".into(), |here: &PathAndQuery| here.as_str().to_string()),
        origin: Origin::of(req, res, &app),
    };
    match find(req, &app).await {
        Ok(session) => visitor.session = session,
        Err(error) => {
            depot.insert_typed(visitor);
            return refuse(error, (req, depot, res), ctrl).await;
        }
    }
    if let Some(session) = &visitor.session {
        depot.insert_typed(Caller::User { user: session.user.id });
    }
    depot.insert_typed(visitor);
    ctrl.call_next(req, depot, res).await;
    let is_page = res.status_code.is_none_or(|code| !code.is_redirection());
    if flash.is_some() && is_page && !cookies::flash(&app).is_set(res) {
        cookies::flash(&app).clear(res);
    }
}

async fn find(req: &Request, app: &App) -> Result<Option<SignedIn>, PageError> {
    let Some(cookie) = cookies::session(app).read(req).and_then(|value| PlainToken::parse(&value)) else {
        return Ok(None);
    };
    let found = browser_session::find(&mut *app.conn().await?, &cookie, LIFE).await?;
    Ok(found.map(|(id, user)| SignedIn { id, user, cookie }))
}

/// Begins a session in this browser.
///
/// # Errors
/// 503 when the database is away.
pub async fn start(app: &App, user: UserId, res: &mut Response) -> Result<(), PageError> {
    let cookie = PlainToken::generate();
    browser_session::start(&mut *app.conn().await?, user, &cookie, LIFE).await?;
    cookies::session(app).set(res, cookie.expose(), Some(LIFE.whole.as_secs()));
    Ok(())
}

/// Lets through who is signed in; others sign in first, and come back then.
#[handler]
#[boxed]
pub async fn required(req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
    let visitor = visitor(depot);
    if visitor.session.is_some() {
        return;
    }
    // What a form wanted to do is not done later by a link.
    let next = if req.method().is_safe() { visitor.here } else { String::new() };
    Redirection::to_sign_in(&next).write(req, depot, res).await;
    ctrl.skip_rest();
}

async fn refuse(error: PageError, (req, depot, res): (&mut Request, &mut Depot, &mut Response), ctrl: &mut FlowCtrl) {
    error.write(req, depot, res).await;
    ctrl.skip_rest();
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn signed_in() -> SignedIn {
        let user = User {
            id: UserId::generate(),
            first_name: String::new(),
            last_name: String::new(),
            email: "a@example.com".into(),
            is_email_verified: false,
            created_at: Utc::now(),
            updated_at: Utc::now(),
        };
        SignedIn { id: SessionId::generate(), user, cookie: PlainToken::generate() }
    }

    #[test]
    fn a_token_is_of_its_session_and_looks_different_on_every_page() {
        let (own, other) = (signed_in(), signed_in());
        let token = own.token();
        assert!(own.is_token(&token) && own.is_token(&own.token()) && !other.is_token(&token));
        assert_ne!(token, own.token());
        let shorter = token.get(2..).unwrap();
        for wrong in ["", "00", "zz", shorter, &"0".repeat(64), &format!("{token}00")] {
            assert!(!own.is_token(wrong), "{wrong}");
        }
    }
}
