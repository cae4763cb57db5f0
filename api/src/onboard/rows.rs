//! What is wrong with the rows of a request, each fault with its row and its field.

use posthouse_egress::Rules;
use posthouse_jobs::OnboardRow;
use posthouse_schema::project::Project;

use super::wire::{OnboardItem, RowError};
use crate::{body::bounded, endpoints::input, error::ApiError};

const BOTH: &str = "auth_username/auth_password";

/// The rows without a fault, and the faults of the others.
pub fn check(items: Vec<OnboardItem>, project: &Project, rules: Option<&Rules>) -> (Vec<OnboardRow>, Vec<RowError>) {
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let mut faults = Faults { row: index + 1, found: Vec::new() };
        let row = row(item, (project, rules), &mut faults);
        if faults.found.is_empty() {
            rows.push(row);
        }
        errors.append(&mut faults.found);
    }
    (rows, errors)
}

struct Faults {
    row: usize,
    found: Vec<RowError>,
}

impl Faults {
    fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.found.push(RowError { row: self.row, field, message: message.into() });
    }

    fn check(&mut self, field: &'static str, result: Result<(), ApiError>) {
        if let Err(error) = result {
            let text = error.to_string();
            let reason = text.strip_prefix(field).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text);
            self.add(field, reason);
        }
    }
}

fn row(item: OnboardItem, (project, rules): (&Project, Option<&Rules>), faults: &mut Faults) -> OnboardRow {
    let text = |given: Option<String>| given.map(|text| text.trim().to_string()).unwrap_or_default();
    let name = text(item.name);
    let url = text(item.url);
    let event_type = Some(text(item.event_type)).filter(|text| !text.is_empty()).unwrap_or_else(|| "*".into());
    let auth_username = item.auth_username.unwrap_or_default();
    let auth_password = item.auth_password.unwrap_or_default();
    if name.is_empty() {
        faults.add("name", "name is required");
    }
    faults.check("name", bounded("name", &name));
    if url.is_empty() {
        faults.add("url", "url is required");
    } else {
        let judged = bounded("url", &url).and_then(|()| input::url(&url, project));
        faults.check("url", judged.and_then(|url| input::permitted(&url, rules)));
    }
    faults.check("event_type", bounded("event_type", &event_type));
    if auth_username.is_empty() != auth_password.is_empty() {
        faults.add(BOTH, "both auth_username and auth_password must be provided together");
    }
    if auth_username.contains(':') {
        faults.add(BOTH, "auth_username cannot have a colon");
    }
    faults.check(BOTH, bounded(BOTH, &auth_username).and_then(|()| bounded(BOTH, &auth_password)));
    OnboardRow { name, url, event_type, auth_username, auth_password }
}
