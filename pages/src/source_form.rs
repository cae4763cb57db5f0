//! The forms of a source: first the choice of its kind, then what that kind needs.

use maud::{Markup, html};

use crate::{
    code,
    connection_test::{self, ConnectionTest},
    field,
    form::{self, Area, Problem},
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    source_kind::{KINDS, SourceKind},
    values::Values,
};

/// What the form of a kind holds.
#[derive(Debug, Clone)]
pub struct SourceForm {
    /// The source that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its kind.
    pub kind: &'static SourceKind,
    /// What stands in its fields.
    pub values: Values,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// What a test of its broker came to.
    pub test: Option<ConnectionTest>,
    /// What the function for messages is tried on.
    pub sample: String,
    /// What it made of that.
    pub tried: Option<TriedFunction>,
}

/// What a function made of a sample.
#[derive(Debug, Clone)]
pub struct TriedFunction {
    /// The message, or why there is none.
    pub message: Result<String, String>,
    /// What it wrote to the console.
    pub log: Vec<String>,
}

/// The choice of a kind.
#[must_use]
pub fn choose(frame: &Frame) -> Markup {
    let Some(project) = &frame.project else { return frame.document("New source", &html! {}) };
    let path = project.path("/sources");
    frame.document("New source", &html! {
        p.crumbs { a href=(path) { (icon(Icon::Back)) "Sources" } }
        div.head { h1 { "New source" } }
        p.muted { "Where do the events come from? What the kind needs is asked on the next page." }
        @for (title, is_broker) in [("A provider posts to a URL", false), ("A message broker is read", true)] {
            section.card {
                h2 { (title) }
                ul.kinds {
                    @for kind in KINDS.iter().filter(|kind| kind.is_broker() == is_broker) {
                        li { a.strong href=(Link::to(format!("{path}/new")).with("kind", kind.word).build()) { (kind.label) } span.muted { (kind.about) } }
                    }
                }
            }
        }
    })
}

/// The form.
#[must_use]
pub fn page(frame: &Frame, view: &SourceForm) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Source", &html! {}) };
    let list = project.path("/sources");
    let (title, to, back) = match &view.id {
        Some(id) => ("Edit the source", format!("{list}/{id}/edit"), format!("{list}/{id}")),
        None => ("New source", format!("{list}/new"), format!("{list}/new")),
    };
    let problem = view.problem.as_ref();
    let common = view.kind.common();
    let (first, more) = common.split_first().map_or((None, &[][..]), |(first, more)| (Some(first), more));
    let is_open = !view.sample.is_empty()
        || more.iter().any(|field| !view.values.text(field.name).is_empty())
        || problem.is_some_and(|problem| more.iter().any(|field| field.name == problem.field));
    frame.document(title, &html! {
        p.crumbs { a href=(back) { (icon(Icon::Back)) @if view.id.is_some() { "The source" } @else { "Another kind" } } }
        div.head { h1 { (title) } span.muted { (view.kind.label) } }
        @if let Some(test) = &view.test { (connection_test::show(test)) }
        @if let Some(tried) = &view.tried { (show(tried)) }
        section.card.narrow {
            (form::summary(problem))
            form method="post" action=(to) {
                (form::token(frame))
                input type="hidden" name="kind" value=(view.kind.word);
                @if let Some(first) = first { (first.show(&view.values, problem)) }
                (field::all(view.kind.fields, &view.values, problem))
                details.more open[is_open] {
                    summary { "More settings" }
                    div.more-fields {
                        (field::all(more, &view.values, problem))
                        @if view.kind.is_broker() {
                            (Area { name: "sample", label: "Sample for the function", value: &view.sample, hint: "What a broker might bring, as JSON. Trying stores and sends nothing.", rows: 3 }.show(problem))
                            div { button.button type="submit" name="do" value="try" { "Try the function" } }
                        }
                    }
                }
                div.row {
                    button.button.primary type="submit" name="do" value="save" { @if view.id.is_some() { "Save" } @else { "Make the source" } }
                    @if view.kind.is_broker() { button.button type="submit" name="do" value="test" { "Test the connection" } }
                    a.button href=(if view.id.is_some() { &back } else { &list }) { "Cancel" }
                }
            }
        }
        @if view.id.is_some() && !view.kind.is_broker() { (other_proofs(view.kind, &to)) }
    })
}

fn show(tried: &TriedFunction) -> Markup {
    html! {
        section.card #tried {
            h2 { "What the function makes" }
            @match &tried.message {
                Ok(message) => (code::body("What the function makes", message.as_bytes())),
                Err(why) => p.notice.bad role="alert" { (icon(Icon::Warning)) span { (why) } },
            }
            @if !tried.log.is_empty() { (code::block("Console of the function", &tried.log.join("\n"))) }
        }
    }
}

/// The ways by which requests could prove themselves instead.
fn other_proofs(own: &SourceKind, to: &str) -> Markup {
    html! {
        section.card.narrow {
            h2 { "Another proof" }
            p.muted { "Requests that prove themselves as before are refused once this is saved." }
            ul.kinds {
                @for kind in KINDS.iter().filter(|kind| !kind.is_broker() && kind.word != own.word) {
                    li { a href=(Link::to(to).with("kind", kind.word).build()) { (kind.label) } span.muted { (kind.about) } }
                }
            }
        }
    }
}
