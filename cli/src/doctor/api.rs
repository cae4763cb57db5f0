//! The API: it answers, what it needs answers it, and the key opens a project.

use serde_json::Value;
use url::Url;

use super::check::Check;
use crate::api::{Access, Query, below, http, text};

const REACHABLE: &str = "api-reachable";
const READY: &str = "api-ready";
const KEY: &str = "api-key";

/// Every check of the API that can be made.
pub async fn checks(access: &Access) -> Vec<Check> {
    let url = match access.known_url() {
        Ok(Some(url)) => url,
        Ok(None) => return vec![Check::skipped(REACHABLE, "no API is named: --url, or `posthouse login`")],
        Err(error) => return vec![Check::failed(REACHABLE, format!("{error:#}"), "correct --profile or its file")],
    };
    let mut checks = match ready(&url).await {
        Ok((status, body)) => judge(status, &body),
        Err(error) => {
            let remedy = "start posthouse-api, see to what is in front of it, or correct --url";
            vec![Check::failed(REACHABLE, format!("{error:#}"), remedy)]
        }
    };
    if checks.iter().any(|check| check.name == READY) {
        checks.push(key(access).await);
    }
    checks
}

async fn ready(url: &Url) -> anyhow::Result<(u16, Value)> {
    let answer = http()?.get(below(url, &[], &["readyz"], Query::new())).send().await?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
}

fn judge(status: u16, body: &Value) -> Vec<Check> {
    let Some(found) = body.get("checks").and_then(Value::as_object) else {
        let detail = format!("what answers ({status}) is not posthouse-api");
        return vec![Check::failed(REACHABLE, detail, "correct --url, or have what is in front pass /readyz on")];
    };
    let faults: Vec<_> = found
        .iter()
        .filter(|(_, state)| state.as_str() != Some("ok"))
        .map(|(name, state)| format!("{name}: {}", state.as_str().unwrap_or_default()))
        .collect();
    let ready = if faults.is_empty() && status == 200 {
        Check::ok(READY, found.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
    } else {
        let detail = format!("{status}: {}", faults.join("; "));
        Check::failed(READY, detail, "see to what does not answer; no event is accepted meanwhile")
    };
    vec![Check::ok(REACHABLE, "posthouse-api answers"), ready]
}

async fn key(access: &Access) -> Check {
    match access.has_key() {
        Ok(true) => {}
        Ok(false) => return Check::skipped(KEY, "no key is given: --api-key, or `posthouse login`"),
        Err(error) => return Check::failed(KEY, format!("{error:#}"), "correct the profile"),
    }
    let project = async { anyhow::Ok(access.connect().await?.get(&[], Query::new()).await?) };
    match project.await {
        Ok(project) => Check::ok(KEY, format!("it opens the project {}", text(&project, "/name"))),
        Err(error) => Check::failed(KEY, format!("{error:#}"), "make a new one: `posthouse keys create`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::check::Verdict::{self, Failed, Ok};

    #[test]
    fn an_api_is_well_when_all_that_it_needs_answers() {
        let verdicts = |status, body| judge(status, &body).iter().map(|check| check.verdict).collect::<Vec<Verdict>>();
        assert_eq!(verdicts(200, json!({"status": "ok", "checks": {"redis": "ok", "postgres": "ok"}})), [Ok, Ok]);
        assert_eq!(verdicts(503, json!({"checks": {"redis": "no answer", "postgres": "ok"}})), [Ok, Failed]);
        assert_eq!(verdicts(200, Value::Null), [Failed]);
    }
}
