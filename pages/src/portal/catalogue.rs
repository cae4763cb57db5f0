//! The catalogue: what can happen, and what an event of each type looks like.

use maud::{Markup, html};

use super::{code, frame::PortalFrame, notice};

/// An event type.
#[derive(Debug, Clone)]
pub struct EventTypeView {
    /// The name that events carry.
    pub name: String,
    /// A group of the project's own making; empty for none.
    pub category: String,
    /// For people.
    pub description: String,
    /// The shape of its events' data, as JSON Schema.
    pub schema: Option<String>,
    /// Whether it should no longer be used.
    pub is_deprecated: bool,
}

/// The page.
#[must_use]
pub fn page(frame: &PortalFrame, types: &[EventTypeView]) -> Markup {
    let t = frame.language.strings;
    frame.document(
        &t.catalogue,
        &html! {
            div.head { h1 { (t.catalogue) } }
            @if types.is_empty() {
                (notice::empty(&t.no_event_types, &t.no_event_types_hint))
            } @else {
                p.muted { (t.catalogue_hint) }
                div.stack {
                    @for one in types {
                        article.card {
                            div.head {
                                h2.mono { (one.name) }
                                @if !one.category.is_empty() { span.tag { (one.category) } }
                                @if one.is_deprecated { span.tag { (t.deprecated) } }
                            }
                            @if !one.description.is_empty() { p { (one.description) } }
                            @if let Some(schema) = &one.schema {
                                details {
                                    summary { (t.schema) }
                                    (code::body(t, &format!("{}: {}", t.schema, one.name), schema))
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}
