//! Which events an endpoint gets: all, or those of chosen types.

use maud::{Markup, html};

use super::frame::PortalFrame;
use crate::{
    form::{self, Problem},
    icon::{Icon, icon},
};

/// An event type to choose.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is chosen.
    pub is_chosen: bool,
    /// Whether it should no longer be used.
    pub is_deprecated: bool,
}

/// The form.
#[derive(Debug, Clone)]
pub struct SubscriptionForm {
    /// The endpoint, by id and name.
    pub endpoint: (String, String),
    /// The subscription that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Whether it takes all events.
    pub is_all: bool,
    /// The event types that there are.
    pub choices: Vec<Choice>,
    /// What was wrong.
    pub problem: Option<Problem>,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, view: &SubscriptionForm) -> Markup {
    let t = frame.language.strings;
    let (id, name) = &view.endpoint;
    let own = format!("/endpoints/{id}");
    let to = frame.path(&format!("{own}/events/{}", view.id.as_deref().unwrap_or("new")));
    frame.document(&t.choose_events, &html! {
        p.crumbs { a href=(frame.path(&own)) { (icon(Icon::Back)) (name) } }
        section.card {
            h1 { (t.choose_events) }
            (form::summary(view.problem.as_ref()))
            form method="post" action=(to) {
                (frame.token())
                fieldset.choices.stacked {
                    legend.visually-hidden { (t.choose_events) }
                    label { input #all type="radio" name="which" value="all" checked[view.is_all]; (t.all_events) span.muted { " " (t.all_events_hint) } }
                    label { input #some type="radio" name="which" value="some" checked[!view.is_all]; (t.some_events) }
                }
                @if view.choices.is_empty() {
                    p.muted { (t.no_event_types) }
                } @else {
                    fieldset.choices.stacked.types {
                        legend { (t.event_types) }
                        @for choice in &view.choices {
                            label {
                                input type="checkbox" name="event_types" value=(choice.name) checked[choice.is_chosen];
                                span {
                                    b { (choice.name) }
                                    @if choice.is_deprecated { span.muted { " (" (t.deprecated) ")" } }
                                    @if !choice.description.is_empty() { span.small.muted { " " (choice.description) } }
                                }
                            }
                        }
                    }
                }
                div.row {
                    button.button.primary type="submit" { (t.save) }
                    a.button href=(frame.path(&own)) { (t.cancel) }
                }
            }
        }
    })
}
