//! Fields of forms as data: a table of them says what a form shows, and which part of a JSON document each is about. So one
//! form serves every kind of source or of authentication. The name of a field is its place in the document, such as
//! `pub_sub.kafka.auth.username`. What is secret is never written into a page.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::{
    form::Problem,
    icon::{Icon, icon},
    values::Values,
};

/// What follows a secret's name in the field by which it is removed.
pub(crate) const REMOVE: &str = ".remove";

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A line of text.
    Text,
    /// A whole number; left empty, it is absent.
    Number,
    /// An address of mail.
    Email,
    /// A text of so many visible lines.
    Area(u8),
    /// A JSON object; left empty, it is absent.
    Json(u8),
    /// A list, one entry on a line.
    List,
    /// A list of whole numbers, one on a line.
    Numbers,
    /// A secret of one line. One that is stored stays where the field is left empty.
    Secret,
    /// The same of several lines.
    SecretArea(u8),
    /// A JSON object that is secret.
    SecretJson(u8),
    /// Yes or no.
    Switch,
    /// One of these words, with what they are called.
    Choice(&'static [(&'static str, &'static str)]),
    /// The same for numbers.
    Level(&'static [(&'static str, &'static str)]),
}

impl Input {
    pub(crate) const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretArea(_) | Self::SecretJson(_))
    }

    /// Whether something is always chosen.
    const fn is_choice(self) -> bool {
        matches!(self, Self::Choice(_) | Self::Level(_))
    }
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name, which is its place in the document: names of fields, with dots between them.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// A hint for people, or nothing.
    pub hint: &'static str,
    /// How it is filled in.
    pub input: Input,
    /// Whether it must be filled in.
    pub is_required: bool,
    /// Whether a secret that is stored can be replaced, and not be removed.
    pub is_lasting: bool,
}

impl Field {
    /// A field that may stay empty.
    #[must_use]
    pub const fn new(name: &'static str, label: &'static str, input: Input) -> Self {
        Self { name, label, hint: "", input, is_required: false, is_lasting: false }
    }

    /// A line of text that may stay empty.
    #[must_use]
    pub const fn text(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Input::Text)
    }

    /// A whole number that may stay empty.
    #[must_use]
    pub const fn number(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, Input::Number)
    }

    /// The same, which must be filled in.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same of a secret that lasts once it is stored.
    #[must_use]
    pub const fn lasting(self) -> Self {
        Self { is_lasting: true, ..self }
    }

    /// The same with a hint.
    #[must_use]
    pub const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// Whether something is always chosen in it, so that browsers never leave it out.
    #[must_use]
    pub const fn is_choice(&self) -> bool {
        self.input.is_choice()
    }

    /// The field with what stands in it, and with the problem where it is its own.
    #[must_use]
    pub fn show(&self, values: &Values, problem: Option<&Problem>) -> Markup {
        let own = problem.filter(|problem| problem.field == self.name);
        if self.input == Input::Switch {
            return self.switch(values, own);
        }
        let is_stored = values.is_stored(self.name);
        let ids = Ids::of(self.name, own.is_some(), !self.hint.is_empty() || is_stored);
        let must = self.is_required && !is_stored;
        html! {
            div.field {
                label for=(self.name) { (self.label) @if !self.is_required && !self.is_choice() { span.muted { " (optional)" } } }
                (self.control(values.text(self.name), &ids, must))
                @if ids.has_hint {
                    p.hint id=(ids.hint) {
                        @if is_stored { "It is stored, and not shown. Left empty, it stays as it is. " }
                        (self.hint)
                    }
                }
                @if is_stored && !self.is_required && !self.is_lasting {
                    label.hint { input type="checkbox" name={ (self.name) (REMOVE) } value="true"; " Remove it" }
                }
                @if let Some(own) = own { p.field-error id=(ids.error) { (icon(Icon::Warning)) (own.text) } }
            }
        }
    }

    fn control(&self, value: &str, ids: &Ids, must: bool) -> Markup {
        let (described, invalid) = (ids.described(), ids.has_error.then_some("true"));
        let lines = |rows: u8| {
            html! {
                textarea.mono id=(self.name) name=(self.name) rows=(rows) required[must] autocomplete="off" spellcheck="false"
                    aria-invalid=[invalid] aria-describedby=[described.as_ref()] { (value) }
            }
        };
        let line = |kind: &str, autocomplete: &str| {
            html! {
                input id=(self.name) name=(self.name) type=(kind) value=(value) required[must] autocomplete=(autocomplete)
                    spellcheck="false" aria-invalid=[invalid] aria-describedby=[described.as_ref()];
            }
        };
        match self.input {
            Input::Area(rows) | Input::Json(rows) | Input::SecretArea(rows) | Input::SecretJson(rows) => lines(rows),
            Input::List | Input::Numbers => lines(3),
            Input::Number => line("number", "off"),
            Input::Email => line("email", "off"),
            Input::Secret => line("password", "new-password"),
            Input::Text | Input::Switch => line("text", "off"),
            Input::Choice(choices) | Input::Level(choices) => html! {
                select id=(self.name) name=(self.name) aria-invalid=[invalid] aria-describedby=[described.as_ref()] {
                    @for (word, label) in choices { option value=(word) selected[*word == value] { (label) } }
                }
            },
        }
    }

    fn switch(&self, values: &Values, own: Option<&Problem>) -> Markup {
        let ids = Ids::of(self.name, own.is_some(), !self.hint.is_empty());
        html! {
            div.field {
                label { input type="checkbox" name=(self.name) value="true" checked[!values.text(self.name).is_empty()] aria-describedby=[ids.described()]; " " (self.label) }
                @if ids.has_hint { p.hint id=(ids.hint) { (self.hint) } }
                @if let Some(own) = own { p.field-error id=(ids.error) { (icon(Icon::Warning)) (own.text) } }
            }
        }
    }

    /// What the field says, as JSON.
    pub(crate) fn value(&self, typed: &str) -> Result<Value, Problem> {
        let expected = |text: String| Problem { field: self.name.into(), text };
        Ok(match self.input {
            Input::Number | Input::Level(_) => match typed.trim() {
                "" => Value::Null,
                text => text.parse::<i64>().map_err(|_| expected("a whole number is expected".into()))?.into(),
            },
            Input::Json(_) | Input::SecretJson(_) => match typed.trim() {
                "" => Value::Null,
                text => serde_json::from_str::<Map<String, Value>>(text)
                    .map_err(|error| expected(format!("a JSON object is expected: {error}")))?
                    .into(),
            },
            Input::List => {
                typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(Value::from).collect::<Vec<_>>().into()
            }
            Input::Numbers => typed
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(|line| line.parse::<i64>().map(Value::from))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| expected("whole numbers are expected, one on a line".into()))?
                .into(),
            Input::Switch => Value::Bool(!typed.is_empty()),
            Input::Text | Input::Email | Input::Choice(_) => typed.trim().into(),
            // A secret may begin with a blank, and a text of several lines is as it was typed.
            Input::Area(_) | Input::Secret | Input::SecretArea(_) => typed.replace("\r\n", "\n").into(),
        })
    }
}

/// The ids of what describes a field.
struct Ids {
    hint: String,
    error: String,
    has_hint: bool,
    has_error: bool,
}

impl Ids {
    fn of(name: &str, has_error: bool, has_hint: bool) -> Self {
        Self { hint: format!("{name}-hint"), error: format!("{name}-error"), has_hint, has_error }
    }

    fn described(&self) -> Option<String> {
        let parts = [(self.has_hint, &self.hint), (self.has_error, &self.error)];
        let ids: Vec<&str> = parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, id)| id.as_str()).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// These fields, one below the other.
#[must_use]
pub fn all(fields: &[Field], values: &Values, problem: Option<&Problem>) -> Markup {
    html! { @for field in fields { (field.show(values, problem)) } }
}
