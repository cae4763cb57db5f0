//! Forms: labelled fields, each with what is wrong beside it.

use maud::{Markup, html};

use crate::{
    frame::Frame,
    icon::{Icon, icon},
};

/// What is wrong with a form: by field, or with all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The field; empty for the whole form.
    pub field: String,
    /// What is wrong, for people.
    pub text: String,
}

impl Problem {
    /// Reads `field: text`, as the API says it; the field counts where the form has it.
    #[must_use]
    pub fn of(message: &str, fields: &[&str]) -> Self {
        let named = message.split_once(':').map(|(field, text)| (field.trim(), text.trim()));
        match named.filter(|(field, _)| fields.contains(field)) {
            Some((field, text)) => Self { field: field.into(), text: text.into() },
            None => Self { field: String::new(), text: message.into() },
        }
    }
}

/// A field of text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'f> {
    /// Its name in the form.
    pub name: &'f str,
    /// What it is called.
    pub label: &'f str,
    /// The kind of input, such as `text`, `email` or `password`.
    pub kind: &'f str,
    /// What stands in it.
    pub value: &'f str,
    /// A hint for people, or nothing.
    pub hint: &'f str,
    /// Whether it must be filled in.
    pub is_required: bool,
    /// What says that it need not be.
    pub optional: &'f str,
    /// What browsers fill it in with.
    pub autocomplete: &'f str,
}

impl<'f> Text<'f> {
    /// A required field of plain text.
    #[must_use]
    pub const fn required(name: &'f str, label: &'f str, value: &'f str) -> Self {
        let (kind, hint, optional, autocomplete) = ("text", "", "optional", "off");
        Self { name, label, kind, value, hint, is_required: true, optional, autocomplete }
    }

    /// A field of plain text that may stay empty.
    #[must_use]
    pub const fn optional(name: &'f str, label: &'f str, value: &'f str) -> Self {
        Self { is_required: false, ..Self::required(name, label, value) }
    }

    /// The same with a hint.
    #[must_use]
    pub const fn hint(self, hint: &'f str) -> Self {
        Self { hint, ..self }
    }

    /// The same as another kind of input.
    #[must_use]
    pub const fn kind(self, kind: &'f str, autocomplete: &'f str) -> Self {
        Self { kind, autocomplete, ..self }
    }

    /// The field, with the problem where it is its own.
    #[must_use]
    pub fn show(&self, problem: Option<&Problem>) -> Markup {
        let own = problem.filter(|problem| problem.field == self.name);
        let (hint_id, error_id) = (format!("{}-hint", self.name), format!("{}-error", self.name));
        let described: Vec<&str> =
            [(!self.hint.is_empty()).then_some(hint_id.as_str()), own.is_some().then_some(error_id.as_str())]
                .into_iter()
                .flatten()
                .collect();
        html! {
            div.field {
                label for=(self.name) { (self.label) @if !self.is_required { span.muted { " (" (self.optional) ")" } } }
                input id=(self.name) name=(self.name) type=(self.kind) value=(self.value) required[self.is_required]
                    autocomplete=(self.autocomplete) spellcheck="false"
                    aria-invalid=[own.map(|_| "true")]
                    aria-describedby=[(!described.is_empty()).then(|| described.join(" "))];
                @if !self.hint.is_empty() { p.hint id=(hint_id) { (self.hint) } }
                @if let Some(own) = own { p.field-error id=(error_id) { (icon(Icon::Warning)) (own.text) } }
            }
        }
    }
}

/// A field of several lines.
#[derive(Debug, Clone, Copy)]
pub struct Area<'f> {
    /// Its name in the form.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What stands in it.
    pub value: &'f str,
    /// A hint for people.
    pub hint: &'static str,
    /// Lines that are seen at once.
    pub rows: u8,
}

impl Area<'_> {
    /// The field, with the problem where it is its own.
    #[must_use]
    pub fn show(&self, problem: Option<&Problem>) -> Markup {
        let own = problem.filter(|problem| problem.field == self.name);
        let (hint_id, error_id) = (format!("{}-hint", self.name), format!("{}-error", self.name));
        let described = if own.is_some() { format!("{hint_id} {error_id}") } else { hint_id.clone() };
        html! {
            div.field {
                label for=(self.name) { (self.label) span.muted { " (optional)" } }
                textarea.mono id=(self.name) name=(self.name) rows=(self.rows) autocomplete="off" spellcheck="false"
                    aria-invalid=[own.map(|_| "true")] aria-describedby=(described) { (self.value) }
                p.hint id=(hint_id) { (self.hint) }
                @if let Some(own) = own { p.field-error id=(error_id) { (icon(Icon::Warning)) (own.text) } }
            }
        }
    }
}

/// A choice of one.
#[must_use]
pub fn select(name: &str, label: &str, choices: &[(String, String)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, text) in choices { option value=(value) selected[value == chosen] { (text) } }
            }
        }
    }
}

/// What is wrong with the whole form.
#[must_use]
pub fn summary(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem.filter(|problem| problem.field.is_empty()) {
            p.notice.bad role="alert" { (icon(Icon::Warning)) span { (problem.text) } }
        }
    }
}

/// The hidden field without which a form of somebody who is signed in is refused.
#[must_use]
pub fn token(frame: &Frame) -> Markup {
    html! { input type="hidden" name="csrf" value=(frame.csrf); }
}

/// A button that does something.
#[must_use]
pub fn action(frame: &Frame, to: &str, label: &str, class: &str) -> Markup {
    html! {
        form.inline method="post" action=(to) {
            (token(frame))
            button class=(class) type="submit" { (label) }
        }
    }
}

/// A button that asks first.
#[must_use]
pub fn careful_action(frame: &Frame, to: &str, (label, sure): (&str, &str)) -> Markup {
    html! {
        details.careful {
            summary.button.danger { (label) }
            div.careful-body {
                p { (sure) }
                (action(frame, to, label, "button danger solid"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_belongs_to_the_field_that_it_names() {
        let fields = ["name", "url"];
        assert_eq!(
            Problem::of("url: not allowed", &fields),
            Problem { field: "url".into(), text: "not allowed".into() }
        );
        assert_eq!(Problem::of("name:please", &fields).field, "name");
        assert_eq!(Problem::of("it: is", &fields), Problem { field: String::new(), text: "it: is".into() });
        assert_eq!(Problem::of("plain", &fields).text, "plain");
    }
}
