//! Texts of machines: payloads, headers, secrets, each with a way to copy it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::strings::{Strings, fill};
use crate::{code::SHOWN_BYTES_MAX, json_text};

/// A block of text.
#[must_use]
pub fn block(t: &Strings, label: &str, text: &str) -> Markup {
    framed(t, label, &html! { (text) })
}

fn framed(t: &Strings, label: &str, inner: &Markup) -> Markup {
    html! {
        div.code {
            button.copy.button.small.script type="button" data-copy { (t.copy) }
            pre tabindex="0" role="region" aria-label=(label) { code { (inner) } }
        }
    }
}

/// A body: JSON is laid out and coloured, other text is shown as it is.
#[must_use]
pub fn body(t: &Strings, label: &str, text: &str) -> Markup {
    if text.is_empty() {
        return html! { p.muted { (t.empty) } };
    }
    if text.len() <= SHOWN_BYTES_MAX {
        return match json_text::lay_out(text) {
            Some(laid_out) => framed(t, label, &laid_out),
            None => block(t, label, text),
        };
    }
    let shown = text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default();
    let (shown_kib, whole) = ((SHOWN_BYTES_MAX / 1024).to_string(), text.len().to_string());
    html! {
        (block(t, label, shown))
        p.muted { (fill(&t.only_the_first, &[("kib", &shown_kib), ("bytes", &whole)])) }
    }
}

/// Header names and their values.
#[must_use]
pub fn headers(t: &Strings, headers: &BTreeMap<String, String>) -> Markup {
    html! {
        @if headers.is_empty() {
            p.muted { (t.none) }
        } @else {
            dl.headers { @for (name, value) in headers { dt { (name) } dd { (value) } } }
        }
    }
}
