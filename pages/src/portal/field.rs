//! Fields of forms, in the reader's language, each with what is wrong beside it.

use maud::{Markup, html};

use super::strings::Strings;
use crate::{
    form::Problem,
    icon::{Icon, icon},
};

/// A field of one line.
#[derive(Debug, Clone, Copy)]
pub struct Field<'f> {
    /// Its name in the form.
    pub name: &'f str,
    /// What it is called.
    pub label: &'f str,
    /// The kind of input, such as `text` or `url`.
    pub kind: &'f str,
    /// What stands in it.
    pub value: &'f str,
    /// A hint for people, or nothing.
    pub hint: &'f str,
    /// Whether it must be filled in.
    pub is_required: bool,
}

impl<'f> Field<'f> {
    /// A field of plain text that may stay empty.
    #[must_use]
    pub const fn new(name: &'f str, label: &'f str, value: &'f str) -> Self {
        Self { name, label, kind: "text", value, hint: "", is_required: false }
    }

    /// The same, and it must be filled in.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same as another kind of input.
    #[must_use]
    pub const fn kind(self, kind: &'f str) -> Self {
        Self { kind, ..self }
    }

    /// The same with a hint.
    #[must_use]
    pub const fn hint(self, hint: &'f str) -> Self {
        Self { hint, ..self }
    }

    /// The field, with the problem where it is its own.
    #[must_use]
    pub fn show(&self, t: &Strings, problem: Option<&Problem>) -> Markup {
        let own = problem.filter(|problem| problem.field == self.name);
        let (hint_id, error_id) = (format!("{}-hint", self.name), format!("{}-error", self.name));
        let described: Vec<&str> =
            [(!self.hint.is_empty()).then_some(hint_id.as_str()), own.is_some().then_some(error_id.as_str())]
                .into_iter()
                .flatten()
                .collect();
        html! {
            div.field {
                label for=(self.name) { (self.label) @if !self.is_required { span.muted { " (" (t.optional) ")" } } }
                input id=(self.name) name=(self.name) type=(self.kind) value=(self.value) required[self.is_required]
                    autocomplete="off" spellcheck="false" aria-invalid=[own.map(|_| "true")]
                    aria-describedby=[(!described.is_empty()).then(|| described.join(" "))];
                @if !self.hint.is_empty() { p.hint id=(hint_id) { (self.hint) } }
                @if let Some(own) = own { p.field-error id=(error_id) { (icon(Icon::Warning)) (own.text) } }
            }
        }
    }
}

/// A field of a list's filter.
#[must_use]
pub fn filter(name: &str, label: &str, value: &str, kind: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(kind) value=(value) step=[(kind == "datetime-local").then_some("1")] autocomplete="off" spellcheck="false";
        }
    }
}
