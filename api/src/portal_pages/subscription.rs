//! Which events an endpoint gets. What else a subscription asks of an event stays as it is.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    portal::{
        frame::PortalPlace,
        subscription::{self as pages, Choice, SubscriptionForm},
    },
};
use salvo::prelude::*;
use serde_json::json;

use super::{
    answer::{Answer, PageError, PageResult},
    catalogue::{self, EVERY},
    endpoint::{find, subscriptions},
    visit::{Visit, on, page, part},
    wire::{EndpointRead, SubscriptionRead},
};
use crate::{
    dashboard::{Form, Operation},
    subscriptions::{create_subscription, delete_subscription, update_subscription},
};

/// The routes below an endpoint.
pub fn router() -> Router {
    Router::with_path("events").push(Router::with_path("new").get(new).post(create)).push(
        Router::with_path("{subscription_id}").get(show).post(update).push(Router::with_path("delete").post(delete)),
    )
}

/// The form for a new one.
#[handler]
#[boxed]
pub async fn new(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let endpoint = find(&visit, &part(req, "endpoint_id")).await?;
    let view = view(&visit, endpoint, None, &[EVERY.to_string()]).await?;
    Ok(page(pages::page(&visit.at(PortalPlace::Endpoints), &view)))
}

/// The form with what is.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let (endpoint, row) = named(req, &visit).await?;
    let chosen = row.filter_config.event_types.clone();
    let view = view(&visit, endpoint, Some(row.uid), &chosen).await?;
    Ok(page(pages::page(&visit.at(PortalPlace::Endpoints), &view)))
}

/// The endpoint of the path and its subscription.
async fn named(req: &Request, visit: &Visit) -> Result<(EndpointRead, SubscriptionRead), PageError> {
    let endpoint = find(visit, &part(req, "endpoint_id")).await?;
    let id = part(req, "subscription_id");
    let row = subscriptions(visit, &endpoint.uid).await?.into_iter().find(|row| row.uid == id);
    Ok((endpoint, row.ok_or_else(PageError::not_found)?))
}

async fn view(
    visit: &Visit,
    endpoint: EndpointRead,
    id: Option<String>,
    chosen: &[String],
) -> Result<SubscriptionForm, PageError> {
    let types = catalogue::types(visit).await?;
    let mut choices: Vec<Choice> = chosen
        .iter()
        .filter(|name| *name != EVERY && types.iter().all(|one| one.name != **name))
        .map(|name| Choice { name: name.clone(), description: String::new(), is_chosen: true, is_deprecated: false })
        .collect();
    choices.extend(types.into_iter().map(|one| Choice {
        is_chosen: chosen.contains(&one.name),
        is_deprecated: one.deprecated_at.is_some(),
        name: one.name,
        description: one.description,
    }));
    choices.retain(|choice| choice.is_chosen || !choice.is_deprecated);
    choices.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(SubscriptionForm {
        endpoint: (endpoint.uid, endpoint.name),
        id,
        is_all: chosen.iter().any(|name| name == EVERY),
        choices,
        problem: None,
    })
}

/// The types that a form names; `None`: it says that there are some, and names none.
fn chosen(form: &Form) -> Option<Vec<String>> {
    if form.text("which") != "some" {
        return Some(vec![EVERY.into()]);
    }
    let types: Vec<String> = form.all("event_types").iter().map(|name| (*name).to_string()).collect();
    (!types.is_empty()).then_some(types)
}

async fn again(visit: &Visit, endpoint: EndpointRead, id: Option<String>, why: String) -> PageResult {
    let view = view(visit, endpoint, id, &[]).await?;
    let problem = Some(Problem { field: String::new(), text: why });
    let view = SubscriptionForm { problem, ..view };
    Ok(Answer::Again(pages::page(&visit.at(PortalPlace::Endpoints), &view)))
}

/// Makes one.
#[handler]
#[boxed]
pub async fn create(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let endpoint = find(&visit, &part(req, "endpoint_id")).await?;
    let Some(types) = chosen(&form) else {
        return again(&visit, endpoint, None, visit.strings().nothing_chosen.clone()).await;
    };
    let body = json!({"name": endpoint.name, "endpoint_id": endpoint.uid, "filter_config": {"event_types": types}});
    match visit.change(create_subscription, Operation::default().with_body(body)).await? {
        Ok(_) => Ok(visit.done(&format!("/endpoints/{}", endpoint.uid), &[], "events-chosen")),
        Err(why) => again(&visit, endpoint, None, why).await,
    }
}

/// Changes its types.
#[handler]
#[boxed]
pub async fn update(req: &mut Request, depot: &mut Depot) -> PageResult {
    let (visit, form) = (Visit::of(depot)?, Form::of(depot));
    let (endpoint, row) = named(req, &visit).await?;
    let Some(types) = chosen(&form) else {
        return again(&visit, endpoint, Some(row.uid), visit.strings().nothing_chosen.clone()).await;
    };
    let body = json!({"filter_config": {"event_types": types}});
    match visit.change(update_subscription, on("subscription_id", &row.uid).with_body(body)).await? {
        Ok(_) => Ok(visit.done(&format!("/endpoints/{}", endpoint.uid), &[], "events-chosen")),
        Err(why) => again(&visit, endpoint, Some(row.uid), why).await,
    }
}

/// Takes one away.
#[handler]
#[boxed]
pub async fn delete(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = Visit::of(depot)?;
    let (endpoint, row) = named(req, &visit).await?;
    match visit.change(delete_subscription, on("subscription_id", &row.uid)).await? {
        Ok(_) => Ok(visit.done(&format!("/endpoints/{}", endpoint.uid), &[], "events-chosen")),
        Err(why) => again(&visit, endpoint, Some(row.uid), why).await,
    }
}
