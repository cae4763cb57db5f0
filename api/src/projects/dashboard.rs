//! What only the dashboard asks of a project: what it has, and a new key.

use posthouse_boxed::boxed;
use posthouse_schema::{api_key::ApiKey, event_count};
use salvo::{oapi::ToSchema, prelude::*};
use serde::Serialize;

use super::wire::KeyWire;
use crate::{
    auth::{Need, authorized, user},
    error::ApiResult,
    reply::Reply,
};

/// Which kinds of things a project has.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatsWire {
    /// Whether it has events.
    pub events_exist: bool,
    /// Whether it has sources.
    pub sources_exist: bool,
    /// Whether it has endpoints.
    pub endpoints_exist: bool,
    /// Whether it has subscriptions.
    pub subscriptions_exist: bool,
}

/// Reads what a project has
#[endpoint(tags("Projects"), operation_id = "GetProjectStats")]
#[boxed]
pub async fn get_stats(req: &mut Request, depot: &mut Depot) -> ApiResult<StatsWire> {
    let (app, project) = authorized(req, depot, Need::View).await?;
    let existing = event_count::existing(&mut *app.conn().await?, project.id).await?;
    let data = StatsWire {
        events_exist: existing.events,
        sources_exist: existing.sources,
        endpoints_exist: existing.endpoints,
        subscriptions_exist: existing.subscriptions,
    };
    Ok(Reply::ok("Project Stats fetched successfully", data))
}

/// Replaces a project's keys by a new one
///
/// All keys of the project so far are refused at once here, and everywhere within 5 seconds. The new one is shown only in
/// this answer. Needs a session or a personal key: a key that leaked cannot lock its project's people out.
#[endpoint(tags("Projects"), operation_id = "RegenerateProjectAPIKey")]
#[boxed]
pub async fn regenerate_key(req: &mut Request, depot: &mut Depot) -> ApiResult<KeyWire> {
    user(depot)?;
    let (app, project) = authorized(req, depot, Need::Manage).await?;
    let name = format!("{}'s key", project.name);
    let (row, plain, ended) = ApiKey::regenerate(&mut *app.conn().await?, project.id, &name).await?;
    ended.iter().for_each(|key| app.keys.forget(key));
    Ok(Reply::ok("api key regenerated successfully", KeyWire::new(&row, &plain)))
}
