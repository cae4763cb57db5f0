//! From what a caller wrote to what is stored: every field is checked, and the message names it.

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
use serde_json::Value;

use super::wire::{FilterConfig, SubscriptionBody};
use crate::{
    body::{bounded, required},
    error::ApiError,
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
    if present(body.function).is_some() {
        return Err(ApiError::invalid("function: this version does not run functions"));
    }
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
    Ok(SubscriptionValues {
        name,
        endpoint_id,
        source_id,
        event_types: event_types(body.filter_config, old)?,
        delivery_mode: delivery_mode(present(body.delivery_mode), old)?,
        alert_config: alert_config(object(
            "alert_config",
            body.alert_config,
            old.and_then(|old| old.alert_config.as_ref()),
        )?)?,
        retry_config: object("retry_config", body.retry_config, old.and_then(|old| old.retry_config.as_ref()))?,
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

fn event_types(given: Option<FilterConfig>, old: Option<&Subscription>) -> Result<TextArray, ApiError> {
    let kept = || old.map_or_else(|| TextArray(vec!["*".into()]), |old| old.event_types.clone());
    let Some(FilterConfig { event_types, filter }) = given else { return Ok(kept()) };
    if filter.as_ref().is_some_and(has_conditions) {
        return Err(ApiError::invalid(
            "filter_config.filter: this version does not evaluate filters, so it takes none",
        ));
    }
    let Some(types) = event_types.filter(|types| !types.is_empty()) else { return Ok(kept()) };
    if types.len() > EVENT_TYPES_MAX || types.iter().any(|name| name.is_empty()) {
        return Err(ApiError::invalid(format!(
            "filter_config.event_types: at most {EVENT_TYPES_MAX} names are accepted, and none that is empty"
        )));
    }
    types.iter().try_for_each(|name| bounded("filter_config.event_types", name))?;
    Ok(TextArray(types))
}

/// Whether a filter would keep anything back.
fn has_conditions(filter: &Value) -> bool {
    match filter {
        Value::Object(scopes) => {
            scopes.iter().filter(|(name, _)| *name != "is_flattened").any(|(_, scope)| match scope {
                Value::Null => false,
                Value::Object(conditions) => !conditions.is_empty(),
                _ => true,
            })
        }
        Value::Null => false,
        _ => true,
    }
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

fn alert_config(value: Option<Value>) -> Result<Option<Value>, ApiError> {
    let threshold = value.as_ref().and_then(|value| value.get("threshold"));
    if threshold.is_some_and(|threshold| threshold.as_str().and_then(parse_duration).is_none()) {
        return Err(ApiError::invalid("threshold:please provide a valid time duration"));
    }
    Ok(value)
}
