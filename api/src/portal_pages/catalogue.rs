//! The catalogue of event types.

use posthouse_boxed::boxed;
use posthouse_pages::portal::{
    catalogue::{self as pages, EventTypeView},
    frame::PortalPlace,
};
use salvo::prelude::*;

use super::{
    answer::{PageError, PageResult},
    visit::{Visit, page},
    wire::EventTypeRead,
};
use crate::{dashboard::Operation, event_types::list_event_types};

/// Stands for all types, and describes none.
pub const EVERY: &str = "*";

/// Those that there are, by their names.
pub async fn types(visit: &Visit) -> Result<Vec<EventTypeRead>, PageError> {
    let mut types: Vec<EventTypeRead> = visit.read(list_event_types, Operation::default()).await?;
    types.retain(|one| one.name != EVERY);
    types.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(types)
}

/// Lists them.
#[handler]
#[boxed]
pub async fn list(depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let view: Vec<EventTypeView> = types(&visit).await?.into_iter().map(view).collect();
    Ok(page(pages::page(&visit.at(PortalPlace::Catalogue), &view)))
}

fn view(row: EventTypeRead) -> EventTypeView {
    let has_shape = |schema: &serde_json::Value| schema.as_object().is_some_and(|object| !object.is_empty());
    EventTypeView {
        name: row.name,
        category: row.category,
        description: row.description,
        schema: row.json_schema.filter(has_shape).map(|schema| schema.to_string()),
        is_deprecated: row.deprecated_at.is_some(),
    }
}
