//! How the portal of the project's customers looks, and who may frame it.

use posthouse_boxed::boxed;
use posthouse_pages::{
    form::Problem,
    frame::Place,
    portal_look::{self as pages, ANCESTORS, FIELDS, PortalLook},
    values::{self, Values},
};
use posthouse_schema::{portal_config::PortalConfig, project::Project};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{
    answer::{Answer, PageResult},
    form::Form,
    settings::current,
    visit::{ProjectVisit, page, said},
};
use crate::{
    auth::Need,
    error::ApiError,
    projects::{portal, update_project},
};

/// Where the settings of the portal are in what the API is asked for.
const PLACE: &str = "/config/portal";

/// The routes below the settings.
pub fn router() -> Router {
    Router::with_path("portal").get(show).post(save)
}

fn view(visit: &ProjectVisit, values: Values) -> PortalLook {
    let instance_ancestors = visit.visit.app.settings.portal_frame_ancestors.clone();
    PortalLook { values, instance_ancestors, ..PortalLook::default() }
}

/// What is stored, as people write it.
fn stored(project: &Project) -> Values {
    let portal = &project.config.portal;
    let values = Values::of(&FIELDS, &json!({"config": {"portal": portal}}));
    let named: Vec<&str> = portal.frame_ancestors.iter().map(|source| source.trim_matches('\'')).collect();
    values.with(ANCESTORS, named.join("\n"))
}

/// Shows it.
#[handler]
#[boxed]
pub async fn show(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::View).await?;
    let project = current(&visit).await?;
    Ok(page(pages::page(visit.frame(), &view(&visit, stored(&project)))))
}

/// Changes it, or shows what it would be like.
#[handler]
#[boxed]
pub async fn save(req: &mut Request, depot: &mut Depot) -> PageResult {
    let visit = ProjectVisit::of(req, depot, Place::Settings, Need::Manage).await?;
    let (form, project) = (Form::of(depot), current(&visit).await?);
    let mut body = json!({"name": project.name});
    let problem = match values::write(&mut body, &FIELDS, |name| form.text(name)) {
        Err(problem) => problem,
        Ok(()) if form.text("do") == "try" => match fault(&body)? {
            Some(why) => Problem::within(&why, &FIELDS),
            None => {
                let tried = PortalLook { is_tried: true, ..view(&visit, typed(&form)) };
                return Ok(page(pages::page(visit.frame(), &tried)));
            }
        },
        Ok(()) => {
            let done = visit.run(update_project, visit.on(&[]).with_body(body)).await?;
            match done.problem(&[]) {
                None => return Ok(said(visit.path("/settings/portal"), &done, "The portal's look is changed.")),
                Some(problem) => Problem::within(&problem.text, &FIELDS),
            }
        }
    };
    let again = PortalLook { problem: Some(problem), ..view(&visit, typed(&form)) };
    Ok(Answer::Again(pages::page(visit.frame(), &again)))
}

fn typed(form: &Form) -> Values {
    Values::typed(&FIELDS, |name| form.text(name), &Values::default())
}

/// What the API would refuse of it.
fn fault(body: &Value) -> Result<Option<String>, ApiError> {
    let given: PortalConfig = serde_json::from_value(body.pointer(PLACE).cloned().unwrap_or_default())
        .map_err(|error| ApiError::Internal(error.into()))?;
    match portal::checked(given) {
        Ok(_) => Ok(None),
        Err(ApiError::Invalid(why)) => Ok(Some(why.into_owned())),
        Err(error) => Err(error),
    }
}
