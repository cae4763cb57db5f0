//! What the filters of a subscription let through. They are compiled once for each change of it; a filter
//! that cannot be compiled or evaluated keeps the event from its own subscription and from no other.

use std::{cell::OnceCell, collections::HashMap};

use posthouse_filter::{Filter, Requirement, Scopes};
use posthouse_jobs::CreateEvent;
use posthouse_schema::{
    filter::{Deciding, EVERY_TYPE, FilterRow, deciding},
    routing::Route,
};
use serde_json::Value;

/// The filters of one subscription.
#[derive(Debug)]
pub struct Filters {
    /// Asked of every event.
    own: Option<Compiled>,
    by_type: HashMap<String, TypeFilter>,
}

#[derive(Debug)]
struct TypeFilter {
    is_enabled: bool,
    filter: Compiled,
}

/// A filter, or why it is none.
type Compiled = Result<Filter, String>;

impl Filters {
    /// The route's filters; `None` where it has none that ask for anything.
    #[must_use]
    pub fn of(route: &Route) -> Option<Self> {
        if route.filter.is_none() && route.filters.is_empty() {
            return None;
        }
        let own = route.filter.as_ref().map(|filter| {
            let scope = |name: &str| filter.get(name).unwrap_or(&Value::Null);
            compile(Scopes {
                headers: scope("headers"),
                body: scope("body"),
                query: scope("query"),
                path: scope("path"),
            })
        });
        let of_type = |row: &FilterRow| TypeFilter {
            is_enabled: row.enabled_at.is_some(),
            filter: compile(Scopes { headers: &row.headers, body: &row.body, query: &row.query, path: &row.path }),
        };
        let by_type = route.filters.iter().map(|row| (row.event_type.clone(), of_type(row))).collect();
        Some(Self { own, by_type })
    }

    /// Whether the event gets through to a subscription whose event types want it, or not.
    ///
    /// # Errors
    /// A filter cannot be compiled or evaluated.
    pub fn let_through(&self, is_wanted: bool, event: &EventParts<'_>) -> Result<bool, String> {
        let Some(asked) = self.asked(is_wanted, &event.job.event_type) else { return Ok(false) };
        for filter in asked {
            if !event.passes(filter.as_ref()?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What events of this type, where it is wanted, must have to get through, each by itself; `None` where none does. Nothing
    /// is known of what is asked after a filter that cannot be compiled.
    #[must_use]
    pub fn requirements(&self, event_type: &str) -> Option<Vec<Requirement<'_>>> {
        let asked = self.asked(true, event_type)?;
        Some(asked.map_while(|filter| filter.as_ref().ok()).flat_map(Filter::requirements).collect())
    }

    /// The types that have an enabled filter of their own.
    pub fn enabled_types(&self) -> impl Iterator<Item = &str> {
        let of_one = self.by_type.iter().filter(|(name, filter)| filter.is_enabled && *name != EVERY_TYPE);
        of_one.map(|(name, _)| name.as_str())
    }

    /// The filters that an event of this type has to pass, in the order in which they are asked; `None` where none gets
    /// through.
    fn asked(&self, is_wanted: bool, event_type: &str) -> Option<impl Iterator<Item = &Compiled>> {
        let of_type = |name: &str| self.by_type.get(name);
        let by_type = match deciding(of_type(event_type), of_type(EVERY_TYPE), |filter| filter.is_enabled) {
            Deciding::Own(own) => Some(own),
            Deciding::Every(every) if is_wanted => Some(every),
            Deciding::EventTypes if is_wanted => None,
            Deciding::Every(_) | Deciding::Nothing | Deciding::EventTypes => return None,
        };
        Some(self.own.iter().chain(by_type.map(|by_type| &by_type.filter)))
    }
}

fn compile(scopes: Scopes<&Value>) -> Compiled {
    Filter::compile(scopes).map_err(|error| error.to_string())
}

/// An event as filters see it; taken apart only when a filter asks.
pub struct EventParts<'j> {
    job: &'j CreateEvent,
    around: OnceCell<Scopes<Value>>,
    body: OnceCell<Result<Value, String>>,
}

impl<'j> EventParts<'j> {
    /// The event of this job.
    #[must_use]
    pub const fn new(job: &'j CreateEvent) -> Self {
        Self { job, around: OnceCell::new(), body: OnceCell::new() }
    }

    /// The event.
    #[must_use]
    pub const fn job(&self) -> &'j CreateEvent {
        self.job
    }

    /// What can be read of the event; its data only where `with_body` says so.
    #[must_use]
    pub fn known(&self, with_body: bool) -> Scopes<Option<&Value>> {
        let Scopes { headers, query, path, .. } = self.around().as_ref();
        let body = if with_body { self.body().ok() } else { None };
        Scopes { headers: Some(headers), body, query: Some(query), path: Some(path) }
    }

    fn passes(&self, filter: &Filter) -> Result<bool, String> {
        let around = self.around();
        let body = if filter.reads_body() { self.body()? } else { &around.body };
        filter.matches(Scopes { body, ..around.as_ref() }).map_err(|error| error.to_string())
    }

    fn around(&self) -> &Scopes<Value> {
        self.around.get_or_init(|| {
            let query = url::form_urlencoded::parse(self.job.url_query_params.as_bytes()).into_owned();
            Scopes::of_event(&self.job.headers, Value::Null, query, &self.job.url_path)
        })
    }

    /// The data, or why it cannot be read: it may be nested deeper, or hold larger numbers, than can be.
    fn body(&self) -> Result<&Value, &String> {
        let read = || serde_json::from_str(self.job.data.get()).map_err(|error| format!("the data: {error}"));
        self.body.get_or_init(read).as_ref()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use chrono::Utc;
    use posthouse_jobs::EventTarget;
    use posthouse_schema::{
        ids::{EndpointId, EventId, FilterId, ProjectId, SubscriptionId},
        words::{DeliveryMode, EndpointStatus},
    };
    use serde_json::{json, value::RawValue};

    use super::*;

    pub(in crate::delivery) fn event(event_type: &str, data: &str) -> CreateEvent {
        CreateEvent {
            project_id: ProjectId::generate(),
            event_id: EventId::generate(),
            target: EventTarget::Broadcast,
            event_type: event_type.into(),
            data: RawValue::from_string(data.into()).unwrap(),
            headers: BTreeMap::from([("X-Kind".to_string(), vec!["a".to_string(), "b".to_string()])]),
            idempotency_key: String::new(),
            source_id: None,
            url_query_params: "tag=x&tag=y%20z".into(),
            url_path: "/ingest/abc".into(),
            ordering_key: None,
            after: None,
            accepted_at: Utc::now(),
        }
    }

    pub(in crate::delivery) fn row(event_type: &str, is_enabled: bool, body: Value) -> FilterRow {
        let nothing = || json!({});
        FilterRow {
            project_id: ProjectId::generate(),
            subscription_id: SubscriptionId::generate(),
            id: FilterId::generate(),
            event_type: event_type.into(),
            enabled_at: is_enabled.then(Utc::now),
            headers: nothing(),
            body,
            query: nothing(),
            path: nothing(),
        }
    }

    fn let_through(filter: Option<Value>, filters: Vec<FilterRow>, job: &CreateEvent) -> Result<bool, String> {
        let route = Route {
            subscription_id: SubscriptionId::generate(),
            endpoint_id: EndpointId::generate(),
            source_id: None,
            event_types: vec!["a".into()],
            filter,
            filters,
            function: None,
            delivery_mode: DeliveryMode::AtLeastOnce,
            retry: None,
            owner_id: String::new(),
            endpoint_status: EndpointStatus::Active,
        };
        let filters = Filters::of(&route).unwrap();
        filters.let_through(route.wants(&job.event_type), &EventParts::new(job))
    }

    #[test]
    fn the_enabled_filter_of_the_type_wins_over_that_for_all() {
        let (one, two) = (|on| row("a", on, json!({"n": 1})), |on| row("*", on, json!({"n": 2})));
        let b = || row("b", true, json!({"n": 1}));
        for (filters, event_type, expected) in [
            (vec![one(true), two(true)], "a", true),
            (vec![one(false), two(true)], "a", false),
            (vec![two(true)], "a", false),
            (vec![two(false)], "a", false),
            (vec![one(false)], "a", true),
            (vec![one(true), two(false)], "a", true),
            // A filter of its own makes a type wanted; that for all does not.
            (vec![b()], "b", true),
            (vec![row("*", true, json!({}))], "b", false),
            (vec![one(true)], "b", false),
        ] {
            assert_eq!(
                let_through(None, filters.clone(), &event(event_type, r#"{"n":1}"#)),
                Ok(expected),
                "{filters:?}"
            );
        }
    }

    #[test]
    fn the_subscription_s_own_filter_holds_for_every_type() {
        let job = event("a", r#"{"n":1}"#);
        let asks = |filter: Value| let_through(Some(filter), vec![row("a", true, json!({"n": 1}))], &job);
        assert_eq!(asks(json!({"headers": {"X-Kind": "a"}})), Ok(true));
        assert_eq!(asks(json!({"headers": {"x-kind": "a"}})), Ok(false));
        assert_eq!(asks(json!({"headers": {"X-Kind": "b"}})), Ok(false));
        assert_eq!(asks(json!({"query": {"tag": "y z"}, "path": {"path": "/ingest/abc"}, "body": null})), Ok(true));
        assert_eq!(asks(json!({"path": {"path": "/ingest"}})), Ok(false));
        assert_eq!(asks(json!({"body": {"n": 2}})), Ok(false));
    }

    #[test]
    fn what_cannot_be_compiled_or_read_is_an_error_of_this_subscription() {
        let job = event("a", r#"{"n":1}"#);
        let error = let_through(None, vec![row("a", true, json!({"n": {"$weird": 1}}))], &job).unwrap_err();
        assert!(error.contains("$weird"), "{error}");
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        let error = let_through(None, vec![row("a", true, json!({"n": 1}))], &event("a", &deep)).unwrap_err();
        assert!(error.contains("recursion"), "{error}");
        let not_asked = let_through(Some(json!({"headers": {"X-Kind": "a"}})), vec![], &event("a", &deep));
        assert_eq!(not_asked, Ok(true), "data that no filter asks about is not read");
    }
}
