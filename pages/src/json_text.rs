//! JSON laid out for reading. Only white space between tokens changes: numbers, escapes, the order of fields and doubled
//! fields stay as they were sent.

use maud::{Markup, PreEscaped, Render as _, html};
use serde::de::IgnoredAny;

/// Nesting beyond which a text is shown as it is.
const DEPTH_MAX: usize = 64;

/// The text laid out, or `None` where it is no JSON.
#[must_use]
pub fn lay_out(text: &str) -> Option<Markup> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest)?,
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            c if c.is_ascii_whitespace() => {
                rest = rest.trim_start();
                continue;
            }
            _ => rest.find(|c: char| c.is_ascii_whitespace() || ",]}".contains(c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(length)?;
        rest = after.trim_start();
        match first {
            '{' | '[' if rest.starts_with(['}', ']']) => {
                out.push(first);
                out.push(rest.chars().next()?);
                rest = rest.get(1..)?.trim_start();
            }
            '{' | '[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return None;
                }
                out.push(first);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.checked_sub(1)?;
                new_line(&mut out, depth);
                out.push(first);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' if rest.starts_with(':') => coloured(&mut out, "j-key", token),
            '"' => coloured(&mut out, "j-text", token),
            '-' | '0'..='9' => coloured(&mut out, "j-number", token),
            _ => coloured(&mut out, "j-word", token),
        }
    }
    // Every token went through the escaping of `coloured`; the rest is punctuation of JSON.
    Some(PreEscaped(out))
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn coloured(out: &mut String, class: &str, token: &str) {
    html! { span class=(class) { (token) } }.render_to(out);
}

/// The length of the string with which the text begins, its quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What a reader sees, without the markup.
    fn read(text: &str) -> String {
        let laid_out = lay_out(text).unwrap().into_string();
        let mut plain = String::new();
        let mut is_tag = false;
        for c in laid_out.chars() {
            match c {
                '<' => is_tag = true,
                '>' if is_tag => is_tag = false,
                c if !is_tag => plain.push(c),
                _ => {}
            }
        }
        plain.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }

    #[test]
    fn only_white_space_changes() {
        let text = r#"{"b":1.0e400,"a":"x\"}{","b":[ ],"c":[{"d":null}, 12345678901234567890123]}"#;
        let shown = "{\n  \"b\": 1.0e400,\n  \"a\": \"x\\\"}{\",\n  \"b\": [],\n  \"c\": [\n    {\n      \"d\": null\n    },\n    12345678901234567890123\n  ]\n}";
        assert_eq!(read(text), shown);
        assert!(lay_out("{nope").is_none() && lay_out("").is_none() && lay_out("[1] x").is_none());
        assert!(lay_out(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_none());
    }

    #[test]
    fn markup_in_a_payload_is_text() {
        let laid_out = lay_out(r#"{"</span><script>": "<img src=x onerror=alert(1)>"}"#).unwrap().into_string();
        assert!(!laid_out.contains("<script") && !laid_out.contains("<img"), "{laid_out}");
    }

    proptest! {
        #[test]
        fn what_is_laid_out_says_the_same(keys in prop::collection::vec("\\PC{0,8}", 0..5), number: i64, text in "\\PC{0,20}") {
            let fields = keys.into_iter().map(|key| (key, serde_json::json!([text, number, {"x": text}, [], {}, null, true])));
            let value = Value::Object(fields.collect());
            prop_assert_eq!(serde_json::from_str::<Value>(&read(&value.to_string())).unwrap(), value);
        }
    }
}
