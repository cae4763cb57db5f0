//! What messages say, as plain text: a title of one line, and paragraphs. What others typed is in them without control characters
//! and cut to a length, so that it cannot pose as a line of ours.

use chrono::{DateTime, SecondsFormat, Utc};
use posthouse_jobs::Notice;

const NAME_CHARS_MAX: usize = 100;
const OTHER_CHARS_MAX: usize = 500;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub title: String,
    /// Paragraphs, which may have lines.
    pub paragraphs: Vec<String>,
}

impl Text {
    /// The paragraphs with blank lines between them.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n", self.paragraphs.join("\n\n"))
    }
}

/// What is said of this.
#[must_use]
pub fn of(notice: &Notice) -> Text {
    match notice {
        Notice::EndpointDisabled { name, url, cause } => Text {
            title: format!("Endpoint {} was disabled", this(name)),
            paragraphs: vec![format!(
                "The endpoint {} ({}) receives nothing until it is activated again, because {}.",
                this(name),
                other(url),
                other(cause)
            )],
        },
        Notice::EndpointRecovered { name, url, since } => Text {
            title: format!("Endpoint {} takes deliveries again", this(name)),
            paragraphs: vec![format!(
                "The endpoint {} ({}), which had failed since {}, takes deliveries again.",
                this(name),
                other(url),
                time(*since)
            )],
        },
        Notice::EndpointsFailing { endpoints, others, known } => {
            let count = endpoints.len() + others;
            let lines: Vec<String> = endpoints
                .iter()
                .map(|one| format!("- {} ({}), since {}", this(&one.name), other(&one.url), time(one.since)))
                .chain((*others > 0).then(|| format!("- and {others} more")))
                .collect();
            let begun = if count == 1 { "An endpoint has".to_string() } else { format!("{count} endpoints have") };
            let mut paragraphs = vec![format!("{begun} begun to fail and not recovered:"), lines.join("\n")];
            if *known > 0 {
                paragraphs.push(format!("{known} of which you have heard before still fail."));
            }
            paragraphs.push("Deliveries to them wait and are tried again.".into());
            Text { title: format!("{begun} begun to fail"), paragraphs }
        }
        Notice::SourceFailing { name, reason, error, .. } => {
            let mut paragraphs = vec![format!("The source {} is failing: {}.", this(name), other(reason))];
            paragraphs.extend(error.as_ref().map(|error| format!("The last error was: {}", other(error))));
            Text { title: format!("Source {} is failing", this(name)), paragraphs }
        }
    }
}

fn this(name: &str) -> String {
    cut(name, NAME_CHARS_MAX)
}

fn other(text: &str) -> String {
    cut(text, OTHER_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use posthouse_jobs::Failing;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_say_what_has_happened() {
        let since = DateTime::from_timestamp(1_767_322_800, 0).unwrap();
        let failing = |name: &str| Failing { name: name.into(), url: "https://example.com/a".into(), since };
        let digest = Notice::EndpointsFailing { endpoints: vec![failing("a"), failing("b")], others: 3, known: 1 };
        let text = of(&digest);
        assert_eq!(text.title, "5 endpoints have begun to fail");
        assert_eq!(
            text.body(),
            "5 endpoints have begun to fail and not recovered:\n\n\
            - a (https://example.com/a), since 2026-01-02T03:00:00Z\n\
            - b (https://example.com/a), since 2026-01-02T03:00:00Z\n- and 3 more\n\n\
            1 of which you have heard before still fail.\n\nDeliveries to them wait and are tried again.\n"
        );
        let one = Notice::EndpointsFailing { endpoints: vec![failing("a")], others: 0, known: 0 };
        assert_eq!(of(&one).title, "An endpoint has begun to fail");
        let recovered = Notice::EndpointRecovered { name: "a".into(), url: "https://example.com".into(), since };
        assert!(of(&recovered).body().contains("had failed since 2026-01-02T03:00:00Z, takes deliveries again."));
    }

    proptest! {
        #[test]
        fn what_others_typed_stays_within_its_line(name in any::<String>(), url in "\\PC*[\r\n\u{85}]*\\PC*") {
            let notice = Notice::EndpointDisabled { name, url, cause: "it answered 410 Gone".into() };
            let text = of(&notice);
            prop_assert!(!text.title.contains(char::is_control));
            prop_assert_eq!(text.body().lines().count(), 1);
            prop_assert!(text.title.chars().count() < 150);
        }
    }
}
