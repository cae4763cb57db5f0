//! One endpoint: its state, which events it gets, its secrets, its newest deliveries, and what can be done with it.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{
    code,
    deliveries::{self, DeliveryLine},
    field,
    frame::PortalFrame,
    moment::ago,
    state,
    strings::{Strings, fill},
};
use crate::{
    endpoint::SecretView,
    icon::{Icon, icon},
    moment::exact,
    notice::warning,
};

/// A subscription of an endpoint.
#[derive(Debug, Clone)]
pub struct SubscriptionLine {
    /// The subscription.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The event types that it takes; `*` for all.
    pub event_types: Vec<String>,
    /// Whether it asks more of an event than its type.
    pub is_narrow: bool,
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
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// Longest wait for an answer, in seconds.
    pub timeout_seconds: i64,
    /// Requests per so many seconds; none at 0.
    pub rate: (i64, i64),
    /// What signs; a private key's own value is never shown.
    pub secrets: Vec<SecretView>,
    /// What receivers verify with, where a private key signs.
    pub public_keys: Vec<String>,
    /// Which events it gets.
    pub subscriptions: Vec<SubscriptionLine>,
    /// Whether it may have one more subscription.
    pub can_subscribe: bool,
    /// Its newest deliveries.
    pub deliveries: Vec<DeliveryLine>,
    /// The event types that a test can be sent of.
    pub event_types: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &EndpointView) -> Markup {
    let t = frame.language.strings;
    let own = format!("/endpoints/{}", view.id);
    let all = frame.link("/deliveries", &[("endpointId".into(), view.id.clone())]);
    frame.document(&view.name, &html! {
        p.crumbs { a href=(frame.path("/endpoints")) { (icon(Icon::Back)) (t.endpoints) } }
        div.head {
            h1 { (view.name) }
            (state::endpoint(t, &view.status))
            @if frame.can_manage {
                a.button href=(frame.path(&format!("{own}/edit"))) { (t.edit) }
                @if view.status == "inactive" {
                    (frame.action(&format!("{own}/activate"), &t.activate, "button primary"))
                } @else {
                    (frame.action(&format!("{own}/pause"), if view.status == "paused" { &t.resume } else { &t.pause }, "button"))
                }
            }
        }
        @if view.status == "inactive" { (warning(&html! { (t.disabled_hint) })) }
        @if view.status == "paused" { (warning(&html! { (t.paused_hint) })) }
        div.columns {
            (set_up(frame, view))
            (subscriptions(frame, view, &own))
            section.card #secrets { h2 { (t.secrets) } (secrets(frame, view, &own)) }
            (test(frame, view, &own))
        }
        section.card {
            div.head { h2 { (t.newest_deliveries) } a.button.small href=(all) { (t.all) } }
            @if view.deliveries.is_empty() {
                p.muted { (t.no_deliveries_lately) }
            } @else {
                (deliveries::table(frame, &view.deliveries, deliveries::Columns::All))
            }
        }
        @if frame.can_manage {
            section.card {
                h2 { (t.delete) }
                (careful(frame, &format!("{own}/delete"), (&t.delete_endpoint, &t.delete_endpoint_sure)))
            }
        }
    })
}

/// A button that asks first.
fn careful(frame: &PortalFrame, rest: &str, (label, sure): (&str, &str)) -> Markup {
    html! {
        details.careful {
            summary.button.danger { (label) }
            div.careful-body { p { (sure) } (frame.action(rest, label, "button danger solid")) }
        }
    }
}

fn set_up(frame: &PortalFrame, view: &EndpointView) -> Markup {
    let t = frame.language.strings;
    html! {
        section.card {
            h2 { (t.set_up) }
            dl.facts.stacked {
                div { dt { "URL" } dd.id { (view.url) } }
                @if !view.description.is_empty() { div { dt { (t.description) } dd { (view.description) } } }
                @if view.rate.0 > 0 {
                    div { dt { (t.rate_limit) } dd { (fill(&t.rate, &[("requests", &view.rate.0.to_string()), ("seconds", &view.rate.1.to_string())])) } }
                }
                div { dt { (t.timeout) } dd { (view.timeout_seconds) " s" } }
                div { dt { (t.made) } dd { (ago(frame, view.created_at)) } }
                div { dt { "Id" } dd.id { (view.id) } }
            }
        }
    }
}

/// The types of a subscription, as people read them.
fn types(t: &Strings, line: &SubscriptionLine) -> Markup {
    html! {
        @if line.event_types.iter().any(|name| name == "*") { (t.all_events) }
        @else { @for name in &line.event_types { span.tag { (name) } " " } }
    }
}

fn subscriptions(frame: &PortalFrame, view: &EndpointView, own: &str) -> Markup {
    let t = frame.language.strings;
    html! {
        section.card #subscriptions {
            h2 { (t.its_events) }
            @if view.subscriptions.is_empty() { (warning(&html! { (t.no_subscription) })) }
            ul.lines {
                @for line in &view.subscriptions {
                    li {
                        div { (types(t, line)) }
                        @if line.is_narrow { p.small.muted { (t.also_filtered) } }
                        div.row {
                            a.button.small href=(frame.path(&format!("{own}/events/{}", line.id))) { (t.choose_events) }
                            @if view.subscriptions.len() > 1 {
                                (frame.action(&format!("{own}/events/{}/delete", line.id), &t.remove, "button small"))
                            }
                        }
                    }
                }
            }
            @if view.can_subscribe {
                div { a.button href=(frame.path(&format!("{own}/events/new"))) { (t.choose_events) } }
            }
        }
    }
}

fn secrets(frame: &PortalFrame, view: &EndpointView, own: &str) -> Markup {
    let t = frame.language.strings;
    let is_shown = view.secrets.iter().any(|secret| secret.value.is_some());
    html! {
        @for (at, key) in view.public_keys.iter().enumerate() {
            p.small { (t.public_key) }
            (code::block(t, &format!("{} {}", t.public_key, at + 1), key))
        }
        @for (at, secret) in view.secrets.iter().enumerate() {
            @match &secret.value {
                Some(value) => (code::block(t, &format!("{} {}", t.secret, at + 1), value)),
                None => p.id { "••••••••••••••••" },
            }
            p.small.muted {
                (t.made) " " (ago(frame, secret.created_at))
                @if let Some(end) = secret.expires_at { " · " (fill(&t.signs_until, &[("time", &exact(end))])) }
            }
        }
        @if view.secrets.is_empty() && view.public_keys.is_empty() { p.muted { (t.none) } }
        @if frame.can_manage {
            div.row {
                @if !is_shown && !view.secrets.is_empty() { (frame.action(&format!("{own}/secrets"), &t.reveal, "button")) }
                details.careful {
                    summary.button { (t.roll_secret) }
                    div.careful-body {
                        p { (t.roll_secret_sure) }
                        form method="post" action=(frame.path(&format!("{own}/roll-secret"))) {
                            (frame.token())
                            div.field {
                                label for="expiration" { (t.old_one_signs) }
                                select id="expiration" name="expiration" {
                                    @for (seconds, label, is_chosen) in [("3600", &t.for_an_hour, false), ("86400", &t.for_a_day, true), ("604800", &t.for_a_week, false), ("0", &t.no_longer, false)] {
                                        option value=(seconds) selected[is_chosen] { (label) }
                                    }
                                }
                            }
                            button.button.primary type="submit" { (t.roll_secret) }
                        }
                    }
                }
            }
        } @else { p.muted { (t.secrets_hidden) } }
    }
}

fn test(frame: &PortalFrame, view: &EndpointView, own: &str) -> Markup {
    let t = frame.language.strings;
    html! {
        section.card #test {
            h2 { (t.send_test) }
            p.small.muted { (t.send_test_hint) }
            form method="post" action=(frame.path(&format!("{own}/test"))) {
                (frame.token())
                (field::required(t, "event_type", &t.event_type, view.event_types.first().map_or("", String::as_str)).show(None))
                @if view.event_types.len() > 1 { p.small.muted { @for name in &view.event_types { span.tag { (name) } " " } } }
                button.button type="submit" { (t.send) }
            }
        }
    }
}
