//! Fields of forms in the reader's language.

use super::strings::Strings;
use crate::form::Text;

/// A field that must be filled in.
#[must_use]
pub const fn required<'f>(t: &'f Strings, name: &'f str, label: &'f str, value: &'f str) -> Text<'f> {
    Text { is_required: true, ..optional(t, name, label, value) }
}

/// A field that may stay empty.
#[must_use]
pub const fn optional<'f>(t: &'f Strings, name: &'f str, label: &'f str, value: &'f str) -> Text<'f> {
    Text { optional: t.optional.as_str(), ..Text::optional(name, label, value) }
}
