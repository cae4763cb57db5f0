//! Times as people read them, in their language.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use super::{
    frame::PortalFrame,
    strings::{Language, fill},
};
use crate::moment::exact;

/// How long ago this was, or how long until it is, with the exact instant in the title.
#[must_use]
pub fn ago(frame: &PortalFrame, at: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(at.to_rfc3339_opts(SecondsFormat::Millis, true)) title=(exact(at)) data-relative {
            (relative(frame.language, at, frame.now))
        }
    }
}

fn relative(language: Language, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let t = language.strings;
    let seconds = (now - at).num_seconds();
    let amount = match seconds.unsigned_abs() {
        0..=4 => return t.just_now.clone(),
        seconds @ 5..=89 => format!("{seconds} s"),
        seconds @ 90..=5_399 => format!("{} min", seconds / 60),
        seconds @ 5_400..=129_599 => format!("{} h", seconds / 3_600),
        seconds => format!("{} {}", seconds / 86_400, t.days),
    };
    fill(if seconds >= 0 { &t.time_ago } else { &t.time_in }, &[("time", &amount)])
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_are_said_in_the_readers_language() {
        let (now, german) = (Utc::now(), Language::find("de").unwrap());
        for (seconds, expected) in [(2, "gerade eben"), (30, "vor 30 s"), (200_000, "vor 2 Tagen"), (-7_200, "in 2 h")]
        {
            assert_eq!(relative(german, now - TimeDelta::seconds(seconds), now), expected);
        }
        assert_eq!(relative(Language::default(), now - TimeDelta::seconds(120), now), "2 min ago");
    }
}
