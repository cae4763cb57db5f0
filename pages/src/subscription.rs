//! One subscription: the form that makes and changes it, and what recent events would come to by what it says.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    code, field,
    filters::{self, FilterLine},
    form::{self, Area, Problem, Text},
    frame::Frame,
    icon::{Icon, icon},
    moment::ago,
    notice,
    retries::OF_SUBSCRIPTION,
    values::Values,
};

/// The names of the form's fields.
pub const FIELDS: [&str; 9] =
    ["name", "endpoint_id", "source_id", "event_types", "body", "headers", "query", "path", "function"];

/// What became of an event in a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It would be delivered.
    Passes,
    /// Its type is not among those that are wanted.
    OtherType,
    /// The filter keeps it back.
    KeptBack,
    /// The filter cannot be asked about it.
    Unreadable(String),
}

/// An event in a trial.
#[derive(Debug, Clone)]
pub struct TriedEvent {
    /// The event.
    pub id: String,
    /// Its dotted name.
    pub event_type: String,
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a function made of an event's data.
#[derive(Debug, Clone)]
pub struct TriedFunction {
    /// The event.
    pub event_id: String,
    /// The payload, or why there is none.
    pub payload: Result<String, String>,
    /// What it wrote to the console.
    pub log: Vec<String>,
}

/// A trial on recent events.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// The newest events, the newest first.
    pub events: Vec<TriedEvent>,
    /// What the function made of the newest that passes.
    pub function: Option<TriedFunction>,
}

/// What the form holds, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionForm {
    /// The subscription that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its values, in the order of [`FIELDS`].
    pub values: [String; 9],
    /// What was wrong.
    pub problem: Option<Problem>,
    /// Endpoints to choose from, by id and name.
    pub endpoints: Vec<(String, String)>,
    /// Sources to choose from, by id and name.
    pub sources: Vec<(String, String)>,
    /// Filters for single event types.
    pub filters: Vec<FilterLine>,
    /// What stands in the fields of retries.
    pub retries: Values,
    /// What recent events came to.
    pub trial: Option<Trial>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &SubscriptionForm) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Subscription", &html! {}) };
    let list = project.path("/subscriptions");
    let [name, ..] = &view.values;
    let (title, to) = match &view.id {
        Some(id) => (if name.is_empty() { "Subscription" } else { name.as_str() }, format!("{list}/{id}")),
        None => ("New subscription", format!("{list}/new")),
    };
    frame.document(title, &html! {
        p.crumbs { a href=(list) { (icon(Icon::Back)) "Subscriptions" } }
        div.head { h1 { (title) } }
        div.columns {
            section.card {
                h2 { "What it says" }
                (form::summary(view.problem.as_ref()))
                @if view.filters.iter().any(|filter| filter.is_enabled && !filter.asks.is_empty()) {
                    (notice::warning(&html! { "Its " a href="#filters" { "filters for single event types" } " decide as well." }))
                }
                form method="post" action=(to) {
                    (form::token(frame))
                    (fields(view))
                    div.row {
                        button.button type="submit" name="do" value="try" { "Try on recent events" }
                        @if project.is_manager { button.button.primary type="submit" name="do" value="save" { @if view.id.is_some() { "Save" } @else { "Make the subscription" } } }
                    }
                }
            }
            section.card #trial {
                h2 { "Recent events" }
                @match &view.trial {
                    Some(trial) => (show(frame, trial)),
                    None => p.muted { "Try what stands in the form on the newest events, before or without saving it." },
                }
            }
        }
        @if let Some(id) = &view.id { (filters::section(frame, &format!("{list}/{id}"), &view.filters)) }
        @if let Some(id) = view.id.as_ref().filter(|_| project.is_manager) {
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{list}/{id}/delete"), ("Delete the subscription", "New events go to its endpoint no more by it. Deliveries that were made stay.")))
            }
        }
    })
}

fn fields(view: &SubscriptionForm) -> Markup {
    let problem = view.problem.as_ref();
    let [name, endpoint, source, types, body, headers, query, path, function] = &view.values;
    let mut sources = vec![(String::new(), "Any".to_string())];
    sources.extend(view.sources.iter().cloned());
    let is_of_retries = |problem: &Problem| OF_SUBSCRIPTION.iter().any(|field| field.name == problem.field);
    let is_retrying = !view.retries.text("retry_config.type").is_empty() || problem.is_some_and(is_of_retries);
    let is_wide = [query, path].iter().any(|text| !text.is_empty());
    html! {
        (Text::required("name", "Name", name).show(problem))
        (form::select("endpoint_id", "Endpoint", &view.endpoints, endpoint))
        @if !view.sources.is_empty() { (form::select("source_id", "Source", &sources, source)) }
        (Area { name: "event_types", label: "Event types", value: types, hint: "One on a line, exactly as they are sent; empty or * for all.", rows: 3 }.show(problem))
        (Area { name: "body", label: "The data must hold", value: body, hint: "A JSON object such as {\"amount\": {\"$gte\": 100}}.", rows: 6 }.show(problem))
        (Area { name: "headers", label: "The headers must hold", value: headers, hint: "A JSON object such as {\"x-region\": \"eu\"}.", rows: 3 }.show(problem))
        details.more open[is_wide] {
            summary { "Query and path" }
            (Area { name: "query", label: "The query must hold", value: query, hint: "Of requests to an HTTP source.", rows: 2 }.show(problem))
            (Area { name: "path", label: "The path must hold", value: path, hint: "Such as {\"path\": \"/ingest/x\"}.", rows: 2 }.show(problem))
        }
        details.more open[is_retrying] {
            summary { "Retries" }
            div.more-fields { (field::all(&OF_SUBSCRIPTION, &view.retries, problem)) }
        }
        (Area { name: "function", label: "Function", value: function, hint: "JavaScript: function transform(payload) { return payload; } makes what is delivered.", rows: 6 }.show(problem))
    }
}

fn show(frame: &Frame, trial: &Trial) -> Markup {
    let passed = trial.events.iter().filter(|event| event.outcome == Outcome::Passes).count();
    html! {
        @if trial.events.is_empty() {
            p.muted { "There is no event of the last seven days to try it on." }
        } @else {
            p { b { (passed) } " of the newest " (trial.events.len()) " would be delivered." }
            table.list {
                thead { tr { th scope="col" { "Event" } th scope="col" { "Outcome" } th scope="col" { "Accepted" } } }
                tbody {
                    @for event in &trial.events {
                        tr {
                            td data-label="Event" { a href=(frame.project.as_ref().map(|project| project.path(&format!("/events/{}", event.id))).unwrap_or_default()) { (event.event_type) } }
                            td data-label="Outcome" { (outcome(&event.outcome)) }
                            td data-label="Accepted" { (ago(event.at, frame.now)) }
                        }
                    }
                }
            }
        }
        @if let Some(function) = &trial.function {
            h3 { "What the function makes" }
            @match &function.payload {
                Ok(payload) => (code::body("What the function makes", payload.as_bytes())),
                Err(why) => p.notice.bad { (icon(Icon::Warning)) span { (why) } },
            }
            @if !function.log.is_empty() { (code::block("Console of the function", &function.log.join("\n"))) }
            p.small.muted { "Of the event " span.id { (function.event_id) } }
        }
    }
}

fn outcome(outcome: &Outcome) -> Markup {
    match outcome {
        Outcome::Passes => badge(Tone::Good, Icon::Check, "Delivered"),
        Outcome::OtherType => badge(Tone::Plain, Icon::Skip, "Other type"),
        Outcome::KeptBack => badge(Tone::Odd, Icon::Subscription, "Kept back"),
        Outcome::Unreadable(why) => {
            html! { span { (badge(Tone::Bad, Icon::Warning, "Not readable")) " " span.small { (why) } } }
        }
    }
}
