//! One endpoint: how it is doing, how it is set up, and its secrets.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::{
    badge, code,
    deliveries::{self, DeliveryLine},
    form,
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    moment::{ago, count, exact},
    notice,
};

/// A secret of an endpoint.
#[derive(Debug, Clone)]
pub struct SecretView {
    /// The secret itself; `None`: it is not to be seen now.
    pub value: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops signing.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where webhooks go.
    pub url: String,
    /// For people.
    pub description: String,
    /// Its owner; empty for none.
    pub owner: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// The state of its breaker, where it is known.
    pub breaker: Option<String>,
    /// Requests per so many seconds; none at 0.
    pub rate: (i32, i32),
    /// Longest wait for an answer, in seconds.
    pub timeout_seconds: i32,
    /// How the body is encoded.
    pub content_type: String,
    /// How requests authenticate, by word; `None` for nothing but signatures.
    pub authentication: Option<String>,
    /// What else it is set to, by what it is called.
    pub more: Vec<(&'static str, String)>,
    /// Deliveries of the last 24 hours: succeeded, failed, to be tried again; `None`: they could not be counted in time.
    pub totals: Option<(i64, i64, i64)>,
    /// What signs.
    pub secrets: Vec<SecretView>,
    /// Its newest deliveries.
    pub deliveries: Vec<DeliveryLine>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &EndpointView) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Endpoint", &html! {}) };
    let path = project.path(&format!("/endpoints/{}", view.id));
    let of_endpoint = |status: &str| {
        Link::to(project.path("/deliveries"))
            .with("endpointId", &view.id)
            .with_query(&[("status".into(), status.into())])
            .build()
    };
    frame.document(&view.name, &html! {
        p.crumbs { a href=(project.path("/endpoints")) { (icon(Icon::Back)) "Endpoints" } }
        div.head {
            h1 { (view.name) }
            (badge::endpoint(&view.status))
            @if project.is_manager {
                a.button href={ (path) "/edit" } { "Edit" }
                a.button href={ (path) "/authentication" } { "Authentication" }
                @if view.status == "inactive" {
                    (form::action(frame, &format!("{path}/activate"), "Activate", "button primary"))
                } @else {
                    (form::action(frame, &format!("{path}/pause"), if view.status == "paused" { "Resume" } else { "Pause" }, "button"))
                }
            }
        }
        @if view.status == "inactive" {
            (notice::warning(&html! { "This endpoint was disabled; new deliveries to it are discarded. Activate it when its receiver works again." }))
        }
        @if view.breaker.as_deref() == Some("open") {
            (notice::warning(&html! { "Its circuit breaker is open: too many attempts failed. Deliveries wait and are tried again by themselves." }))
        }
        div.figures {
            @let (succeeded, failed, waiting) = view.totals.map_or(("–".to_string(), "–".to_string(), "–".to_string()), |(a, b, c)| (count(a), count(b), count(c)));
            div.figure { span.figure-label { "Delivered, 24 h" } a.figure-value href=(of_endpoint("Success")) { (succeeded) } }
            div.figure { span.figure-label { "Failed, 24 h" } a.figure-value href=(of_endpoint("Failure")) { (failed) } }
            div.figure { span.figure-label { "To be retried" } a.figure-value href=(of_endpoint("Retry")) { (waiting) } }
            div.figure { span.figure-label { "Breaker" } span.figure-value { (badge::breaker(view.breaker.as_deref())) } }
        }
        div.columns {
            (set_up(frame, view))
            section.card #secrets {
                h2 { "Secrets" }
                (secrets(frame, view, &path))
            }
        }
        section.card {
            div.head { h2 { "Newest deliveries" } a.button.small href=(of_endpoint("")) { "All" } }
            @if view.deliveries.is_empty() {
                p.muted { "None in the last seven days." }
            } @else {
                (deliveries::table(frame, &view.deliveries, deliveries::Columns::All))
            }
        }
        @if project.is_manager {
            section.card {
                h2 { "Delete" }
                (form::careful_action(frame, &format!("{path}/delete"), ("Delete the endpoint", "The endpoint and its subscriptions end. Deliveries that wait are discarded; those that were made stay to be looked at.")))
            }
        }
    })
}

/// How it is set up.
fn set_up(frame: &Frame, view: &EndpointView) -> Markup {
    html! {
        section.card {
            h2 { "Set up" }
            dl.facts.stacked {
                div { dt { "URL" } dd.id { (view.url) } }
                @if !view.description.is_empty() { div { dt { "Description" } dd { (view.description) } } }
                @if !view.owner.is_empty() { div { dt { "Owner" } dd.id { (view.owner) } } }
                div { dt { "Rate limit" } dd { @if view.rate.0 == 0 { "None" } @else { (view.rate.0) " in " (view.rate.1) " s" } } }
                div { dt { "Timeout" } dd { (view.timeout_seconds) " s" } }
                div { dt { "Content type" } dd { (view.content_type) } }
                div { dt { "Authentication" } dd { (view.authentication.as_deref().unwrap_or("Signatures alone")) } }
                @for (label, value) in &view.more { div { dt { (label) } dd { (value) } } }
                div { dt { "Changed" } dd { (ago(view.updated_at, frame.now)) } }
                div { dt { "Made" } dd { (exact(view.created_at)) } }
                div { dt { "Id" } dd.id { (view.id) } }
            }
        }
    }
}

fn secrets(frame: &Frame, view: &EndpointView, path: &str) -> Markup {
    let is_manager = frame.project.as_ref().is_some_and(|project| project.is_manager);
    let is_shown = view.secrets.iter().any(|secret| secret.value.is_some());
    html! {
        @for (at, secret) in view.secrets.iter().enumerate() {
            @match &secret.value {
                Some(value) => (code::block(&format!("Secret {}", at + 1), value)),
                None => p.id { "••••••••••••••••" },
            }
            p.small.muted {
                "Made " (ago(secret.created_at, frame.now))
                @if let Some(end) = secret.expires_at { ", signs until " (exact(end)) }
            }
        }
        @if view.secrets.is_empty() { p.muted { "None." } }
        @if is_manager {
            div.row {
                @if !is_shown { (form::action(frame, &format!("{path}/secrets"), "Reveal", "button")) }
                details.careful {
                    summary.button { "Roll the secret" }
                    div.careful-body {
                        p { "A new secret signs from now on. The old one signs beside it for the time that you give, so that receivers can change over." }
                        form method="post" action={ (path) "/roll-secret" } {
                            (form::token(frame))
                            (form::select("expiration", "The old one signs for", &[("3600".into(), "1 hour".into()), ("86400".into(), "1 day".into()), ("604800".into(), "7 days".into()), ("0".into(), "no longer".into())], "86400"))
                            button.button.primary type="submit" { "Roll" }
                        }
                    }
                }
            }
        } @else { p.muted { "Your role does not show secrets." } }
    }
}
