//! Texts of machines: payloads, headers, commands, each with a way to copy it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::json_text;

/// Bytes of a payload that a page shows; the rest is a link away.
pub const SHOWN_BYTES_MAX: usize = 128 * 1024;

/// A block of text.
#[must_use]
pub fn block(label: &str, text: &str) -> Markup {
    html! {
        div.code {
            button.copy.button.small.script type="button" data-copy { "Copy" }
            pre tabindex="0" role="region" aria-label=(label) { code { (text) } }
        }
    }
}

/// A body: JSON is laid out and coloured, other text is shown as it is, and what is no text as its size.
#[must_use]
pub fn body(label: &str, bytes: &[u8]) -> Markup {
    if bytes.is_empty() {
        return html! { p.muted { "Empty." } };
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return html! { p.muted { (bytes.len()) " bytes that are not text." } };
    };
    let (shown, is_cut) = cut(text);
    html! {
        div.code {
            button.copy.button.small.script type="button" data-copy { "Copy" }
            pre tabindex="0" role="region" aria-label=(label) {
                code { @if let Some(laid_out) = json_text::lay_out(text).filter(|_| !is_cut) { (laid_out) } @else { (shown) } }
            }
        }
        @if is_cut { p.muted { "The first " (SHOWN_BYTES_MAX / 1024) " KiB of " (bytes.len()) " bytes." } }
    }
}

fn cut(text: &str) -> (&str, bool) {
    if text.len() <= SHOWN_BYTES_MAX {
        return (text, false);
    }
    (text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default(), true)
}

/// Header names and their values.
#[must_use]
pub fn headers(headers: &BTreeMap<String, Vec<String>>) -> Markup {
    html! {
        @if headers.is_empty() {
            p.muted { "None." }
        } @else {
            dl.headers {
                @for (name, value) in headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
                    dt { (name) }
                    dd { (value) }
                }
            }
        }
    }
}

/// A request as a command of curl.
#[must_use]
pub fn curl(method: &str, url: &str, headers: &BTreeMap<String, Vec<String>>, body: Option<&[u8]>) -> String {
    let mut command = format!("curl -i -X {} {}", quoted(method), quoted(url));
    for (name, value) in headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
        // curl counts the bytes and names the host itself.
        if !["content-length", "host", "accept-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
            command.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
        }
    }
    match body.map(std::str::from_utf8) {
        Some(Ok(text)) if text.len() <= SHOWN_BYTES_MAX && !text.contains('\0') => {
            command.push_str(&format!(" \\\n  --data-raw {}", quoted(text)));
        }
        Some(_) => command.push_str(" \\\n  --data-binary @payload"),
        None => {}
    }
    command
}

/// A word of a shell, whatever is in it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_holds_what_was_sent_whatever_is_in_it() {
        let headers = BTreeMap::from([
            ("Content-Length".to_string(), vec!["9".to_string()]),
            ("X-Quote".to_string(), vec!["it's $HOME `x`".to_string()]),
        ]);
        let command = curl("POST", "https://example.com/a?b=c&d", &headers, Some(br#"{"a":"'"}"#));
        assert_eq!(
            command,
            "curl -i -X 'POST' 'https://example.com/a?b=c&d' \\\n  -H 'X-Quote: it'\\''s $HOME `x`' \\\n  --data-raw '{\"a\":\"'\\''\"}'"
        );
        assert!(curl("POST", "u", &BTreeMap::new(), Some(&[0xff])).ends_with("--data-binary @payload"));
    }

    #[test]
    fn long_bodies_are_cut_between_characters() {
        let long = format!("{}ä", "x".repeat(SHOWN_BYTES_MAX - 1));
        let (shown, is_cut) = cut(&long);
        assert!(is_cut && shown.len() == SHOWN_BYTES_MAX - 1);
        assert!(body("b", long.as_bytes()).into_string().contains("The first"));
        assert!(body("b", &[0xff, 0xfe]).into_string().contains("2 bytes that are not text"));
    }
}
