//! From what a caller wrote to what is stored: every field is checked, and the message names it.

use posthouse_filter::{Filter, Scopes};
use posthouse_schema::{
    endpoint::Endpoint,
    ids::{EndpointId, SourceId},
    pool::PooledConnection,
    project::Project,
    source::Source,
    subscription::{Subscription, SubscriptionValues},
    text_array::TextArray,
    words::{DeliveryMode, ProjectKind},
};
use serde_json::{Value, json};

use super::{
    retry,
    wire::{EventFilterBody, FilterConfig, SubscriptionBody},
};
use crate::{
    body::{bounded, required},
    error::ApiError,
    filters::input::conditions,
    functions::checked,
    version::parse_duration,
};

const EVENT_TYPES_MAX: usize = 1_000;

/// The values of a new subscription, or of a changed one where `old` is given.
///
/// # Errors
/// 400 naming the field.
pub async fn values(
    body: SubscriptionBody,
    project: &Project,
    conn: &mut PooledConnection,
    old: Option<&Subscription>,
) -> Result<SubscriptionValues, ApiError> {
    let present = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let function = match body.function {
        None => old.and_then(|old| old.function.clone()),
        given => checked("function", given)?,
    };
    let name = match (present(body.name), old) {
        (None, Some(old)) => old.name.clone(),
        (given, _) => required("name", given, "please provide a valid subscription name")?,
    };
    let endpoint_id = match (present(body.endpoint_id), old) {
        (Some(id), _) => endpoint(&id, project, conn).await?,
        (None, Some(old)) => old.endpoint_id,
        (None, None) => return Err(ApiError::invalid("endpoint_id:please provide a valid endpoint id")),
    };
    let source_id = match (present(body.source_id), old) {
        (Some(id), _) => Some(source(&id, project, conn).await?),
        (None, Some(old)) => old.source_id,
        (None, None) => None,
    };
    if project.kind == ProjectKind::Incoming && source_id.is_none() {
        return Err(ApiError::invalid("source_id is required for incoming projects"));
    }
    let (types, filter) = match body.filter_config {
        Some(FilterConfig { event_types, filter: given }) => (event_types, filter(given.unwrap_or_default())?),
        None => (None, old.and_then(|old| old.filter.clone())),
    };
    Ok(SubscriptionValues {
        name,
        endpoint_id,
        source_id,
        event_types: event_types(types, old)?,
        filter,
        function,
        delivery_mode: delivery_mode(present(body.delivery_mode), old)?,
        alert_config: alert_config(object(
            "alert_config",
            body.alert_config,
            old.and_then(|old| old.alert_config.as_ref()),
        )?)?,
        retry_config: retry_config(body.retry_config, old)?,
        rate_limit_config: object(
            "rate_limit_config",
            body.rate_limit_config,
            old.and_then(|old| old.rate_limit_config.as_ref()),
        )?,
    })
}

async fn endpoint(id: &str, project: &Project, conn: &mut PooledConnection) -> Result<EndpointId, ApiError> {
    let not_found = || ApiError::invalid("failed to find endpoint by id");
    let id = id.parse().map_err(|_| not_found())?;
    Endpoint::find(conn, project.id, id).await?.map(|found| found.id).ok_or_else(not_found)
}

async fn source(id: &str, project: &Project, conn: &mut PooledConnection) -> Result<SourceId, ApiError> {
    let not_found = || ApiError::invalid("failed to find source by id");
    let id = id.parse().map_err(|_| not_found())?;
    Source::find(conn, project.id, id).await?.map(|found| found.id).ok_or_else(not_found)
}

fn event_types(given: Option<Vec<String>>, old: Option<&Subscription>) -> Result<TextArray, ApiError> {
    let kept = || old.map_or_else(|| TextArray(vec!["*".into()]), |old| old.event_types.clone());
    let Some(types) = given.filter(|types| !types.is_empty()) else { return Ok(kept()) };
    if types.len() > EVENT_TYPES_MAX || types.iter().any(|name| name.is_empty()) {
        return Err(ApiError::invalid(format!(
            "filter_config.event_types: at most {EVENT_TYPES_MAX} names are accepted, and none that is empty"
        )));
    }
    types.iter().try_for_each(|name| bounded("filter_config.event_types", name))?;
    Ok(TextArray(types))
}

/// The filter as it is stored; `None` for one that asks for nothing.
fn filter(given: EventFilterBody) -> Result<Option<Value>, ApiError> {
    let scopes = scopes(given)?;
    let filter = Filter::compile(scopes.as_ref())
        .map_err(|error| ApiError::invalid(format!("filter_config.filter: {error}")))?;
    let Scopes { headers, body, query, path } = scopes;
    Ok((!filter.is_empty()).then(|| json!({"headers": headers, "body": body, "query": query, "path": path})))
}

/// The conditions of a filter that a caller wrote.
///
/// # Errors
/// 400 naming a scope that is no object.
pub fn scopes(given: EventFilterBody) -> Result<Scopes<Value>, ApiError> {
    let EventFilterBody { headers, header, body, query, path } = given;
    let scopes = conditions([headers.or(header), body, query, path])?;
    scopes.try_map(|_, conditions| Ok(conditions.unwrap_or_else(|| json!({}))))
}

fn delivery_mode(given: Option<String>, old: Option<&Subscription>) -> Result<DeliveryMode, ApiError> {
    match given {
        None => Ok(old.map_or(DeliveryMode::AtLeastOnce, |old| old.delivery_mode)),
        Some(word) => DeliveryMode::parse(&word).ok_or_else(|| {
            ApiError::invalid("invalid delivery mode value, must be either 'at_least_once' or 'at_most_once'")
        }),
    }
}

fn object(field: &'static str, given: Option<Value>, old: Option<&Value>) -> Result<Option<Value>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(old.cloned()),
        Some(value) if value.is_object() && !value.to_string().contains("\\u0000") => Ok(Some(value)),
        Some(_) => Err(ApiError::invalid(format!("{field}: an object is expected"))),
    }
}

fn retry_config(given: Option<Value>, old: Option<&Subscription>) -> Result<Option<Value>, ApiError> {
    match object("retry_config", given, None)? {
        None => Ok(old.and_then(|old| old.retry_config.clone())),
        Some(given) => Ok(Some(json!(retry::policy(&given)?))),
    }
}

fn alert_config(value: Option<Value>) -> Result<Option<Value>, ApiError> {
    let threshold = value.as_ref().and_then(|value| value.get("threshold"));
    if threshold.is_some_and(|threshold| threshold.as_str().and_then(parse_duration).is_none()) {
        return Err(ApiError::invalid("threshold:please provide a valid time duration"));
    }
    Ok(value)
}
