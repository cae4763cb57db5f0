//! OAuth 2 tokens of endpoints: asked for when a delivery needs one, by the same way out, and kept until shortly before they
//! end. Whoever needs one while it is asked for waits for that one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use posthouse_oauth2::{Settings, Token};
use posthouse_schema::{
    delivery_target::DeliveryTarget,
    ids::{EndpointId, ProjectId},
};
use serde_json::Value;

use super::{
    redirect::Redirects,
    request::DeliveryRequest,
    send::{Sender, Sent},
};

/// The wait for a whole exchange.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(30);
/// A token is no longer used when it ends within this time.
const MARGIN: TimeDelta = TimeDelta::seconds(30);
/// Tokens kept; beyond them all are forgotten.
const KEPT_MAX: usize = 10_000;
/// What an attempt that failed for want of a token is called.
const CLASS: &str = "oauth2";

type Key = (ProjectId, EndpointId);
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

struct Kept {
    /// The settings that it was got by.
    settings: Value,
    token: Token,
}

/// The tokens of a worker. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tokens {
    slots: Arc<Mutex<HashMap<Key, Slot>>>,
}

impl Tokens {
    /// Puts the token into the request where the endpoint wants one.
    ///
    /// # Errors
    /// What is recorded of the attempt: nothing was sent to the endpoint.
    pub async fn authorize(
        &self,
        sender: &Sender,
        target: &DeliveryTarget,
        request: &mut DeliveryRequest,
    ) -> Result<(), Sent> {
        let Some(settings) = oauth2(target) else { return Ok(()) };
        let slot = self.slot((target.project_id, target.id));
        let mut kept = slot.lock().await;
        let now = Utc::now();
        let token = match kept.as_ref().filter(|kept| kept.settings == *settings && is_fresh(&kept.token, now)) {
            Some(kept) => kept.token.clone(),
            None => {
                let token = exchange(sender, settings, target.project_id).await?;
                *kept = Some(Kept { settings: settings.clone(), token: token.clone() });
                token
            }
        };
        drop(kept);
        let mut value = HeaderValue::from_str(&format!("{} {}", token.token_type, token.access_token))
            .map_err(|_| failed("the token cannot be sent in a header"))?;
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// Forgets the endpoint's token: it was not accepted.
    pub async fn forget(&self, target: &DeliveryTarget) {
        if oauth2(target).is_some() {
            *self.slot((target.project_id, target.id)).lock().await = None;
        }
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX && !slots.contains_key(&key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

fn oauth2(target: &DeliveryTarget) -> Option<&Value> {
    let authentication = target.authentication.as_ref()?;
    let is_oauth2 = authentication.get("type").and_then(Value::as_str) == Some("oauth2");
    authentication.get("oauth2").filter(|_| is_oauth2)
}

fn is_fresh(token: &Token, now: DateTime<Utc>) -> bool {
    token.expires_at > now + MARGIN
}

async fn exchange(sender: &Sender, settings: &Value, project: ProjectId) -> Result<Token, Sent> {
    let settings = Settings::read(settings).map_err(|error| failed(&error.to_string()))?;
    let asked = settings.request(Utc::now()).map_err(|error| failed(&error.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = DeliveryRequest {
        url: asked.url,
        headers,
        body: asked.form.into(),
        timeout: EXCHANGE_LIMIT,
        identity: None,
        redirects: Redirects::Kept,
        project,
    };
    match sender.send(&request).await {
        Sent::Answered(answer) => {
            settings.answer(answer.status, &answer.body, Utc::now()).map_err(|error| failed(&error.to_string()))
        }
        Sent::Failed { message, .. } => Err(failed(&message)),
        away => Err(away),
    }
}

fn failed(why: &str) -> Sent {
    Sent::Failed { class: CLASS, message: format!("no token could be had: {why}") }
}
