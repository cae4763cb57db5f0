//! Every text of the portal in every language, read from one file. A language that lacks a text, or has one too many, does
//! not pass the tests.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::json;

/// The texts by language. Adding a language is adding it here.
const FILE: &str = include_str!("strings.json");
/// What is spoken where nothing else is known.
const FALLBACK: &str = "en";

macro_rules! strings {
    ($($name:ident)*) => {
        /// The texts of one language, by what they are for.
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Strings {
            $(#[doc = concat!("The text `", stringify!($name), "`.")] pub $name: String,)*
        }

        #[cfg(test)]
        impl Strings {
            fn all(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), self.$name.as_str())),*]
            }
        }
    };
}

strings! {
    language_name language navigation skip_to_content just_now time_ago time_in days copy copied press_to_copy
    endpoints endpoint events event deliveries delivery catalogue catalogue_hint all back cancel save edit delete
    remove send more optional none empty only_the_first pages newer older filter search search_hint clear
    more_filters from_utc until_utc name_contains all_endpoints nothing_matches no_endpoints no_endpoints_hint
    no_endpoints_yet new_endpoint edit_endpoint make_endpoint delete_endpoint delete_endpoint_sure name url_hint
    description timeout timeout_seconds rate_limit rate requests requests_hint in_seconds email email_hint state
    made set_up pause resume activate endpoint_active endpoint_paused endpoint_disabled disabled_hint paused_hint
    its_events choose_events no_subscription also_filtered all_events all_events_hint some_events event_types
    event_type deprecated no_event_types no_event_types_hint schema secrets secret public_key secrets_hidden reveal
    roll_secret roll_secret_sure old_one_signs for_an_hour for_a_day for_a_week no_longer signs_until send_test
    send_test_hint newest_deliveries no_deliveries_lately no_deliveries no_deliveries_hint no_events no_events_hint
    accepted details attempts attempt attempts_and_answers no_attempts number_of next_attempt answer no_answer
    request data headers where_it_went nowhere_yet chosen choose_all resend resend_chosen retry_all
    retry_deliveries retry_nothing retry_hint retry_lately retry_number retry_is_active replay replay_hint
    replay_reaches_others state_success
    state_failure state_discarded state_retry state_processing state_scheduled done_endpoint_made
    done_endpoint_changed done_paused done_resumed done_endpoint_deleted done_rolled done_events_chosen
    done_test_sent done_resent done_retrying done_replayed resent_partly nothing_chosen number_expected does_not_receive page_too_old
    to_endpoints error_closed error_closed_hint error_forbidden error_forbidden_hint error_not_found
    error_not_found_hint error_unavailable error_unavailable_hint error_refused error_refused_hint error_ours
    error_ours_hint
}

static LANGUAGES: LazyLock<BTreeMap<String, Strings>> = LazyLock::new(|| read(FILE).unwrap_or_default());
static NO_STRINGS: LazyLock<Strings> = LazyLock::new(Strings::default);

fn read(file: &str) -> serde_json::Result<BTreeMap<String, Strings>> {
    serde_json::from_str(file)
}

/// A language of the portal. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// Its code, such as `de`.
    pub code: &'static str,
    /// Its texts.
    pub strings: &'static Strings,
}

impl Default for Language {
    fn default() -> Self {
        Self::find(FALLBACK).unwrap_or_else(|| Self { code: FALLBACK, strings: &NO_STRINGS })
    }
}

impl Language {
    /// All of them, by their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        LANGUAGES.iter().map(|(code, strings)| Self { code, strings })
    }

    /// The language of this code, which may name a region as well.
    #[must_use]
    pub fn find(code: &str) -> Option<Self> {
        let plain = code.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        LANGUAGES.get_key_value(&plain).map(|(code, strings)| Self { code, strings })
    }

    /// The language that a reader likes best, as `Accept-Language` says it.
    #[must_use]
    pub fn liked(accept: &str) -> Self {
        let weighed = accept.split(',').enumerate().filter_map(|(at, part)| {
            let (code, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight: f32 =
                parameters.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.trim().parse().ok())?;
            Some((Self::find(code)?, weight, at)).filter(|(_, weight, _)| *weight > 0.0)
        });
        // Of two that are liked alike, the first.
        let best = weighed.max_by(|one, two| one.1.total_cmp(&two.1).then(two.2.cmp(&one.2)));
        best.map(|(language, ..)| language).unwrap_or_default()
    }

    /// What the script says, as JSON.
    #[must_use]
    pub fn words(&self) -> String {
        let t = self.strings;
        json!({
            "now": t.just_now, "ago": t.time_ago, "in": t.time_in, "days": t.days,
            "copy": t.copy, "copied": t.copied, "press": t.press_to_copy,
        })
        .to_string()
    }
}

/// A text with its blanks filled in: `{name}` becomes the value of that name.
#[must_use]
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        // What is filled in is not looked at again.
        out.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn blanks(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
    }

    #[test]
    fn every_language_has_every_text() {
        let languages = read(FILE).unwrap();
        for code in ["de", "en", "es", "fr"] {
            assert!(languages.contains_key(code), "{code}");
        }
        let english = &languages[FALLBACK];
        for (code, strings) in &languages {
            for ((name, text), (_, original)) in strings.all().into_iter().zip(english.all()) {
                assert!(!text.trim().is_empty(), "{code}: {name} says nothing");
                assert_eq!(blanks(text), blanks(original), "{code}: {name} has other blanks");
            }
        }
    }

    #[test]
    fn a_language_is_chosen_by_what_is_liked() {
        for (accept, code) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("nl, fr;q=0.4, es;q=0.5", "es"),
            ("es;q=0.5,fr;q=0.5", "es"),
            ("nl,*;q=0.1", "en"),
            ("de;q=0,fr;q=0.1", "fr"),
            ("de;q=x", "en"),
            (";;q=,,", "en"),
        ] {
            assert_eq!(Language::liked(accept).code, code, "{accept}");
        }
        assert_eq!(Language::find("DE_ch").map(|language| language.code), Some("de"));
        assert!(Language::find("xx").is_none());
    }

    #[test]
    fn blanks_are_filled_once() {
        assert_eq!(fill("{n} of {total}", &[("n", "{total}"), ("total", "3")]), "{total} of 3");
        assert_eq!(fill("plain {", &[]), "plain {");
    }
}
