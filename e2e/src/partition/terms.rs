//! When which scheduler was active, as their logs tell it: no two at once, and each tick by the one whose time it was.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

const BEGAN: &str = "This scheduler is active.";
const ENDED: &str = "This scheduler is no longer active.";

/// One scheduler's time as the active one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Whose it is.
    pub holder: String,
    /// Larger than that of each term before; the same where its holder only takes it up again.
    pub fencing_token: i64,
    /// Its begin.
    pub from: DateTime<Utc>,
    /// Its end; `None` while it lasts.
    pub until: Option<DateTime<Utc>>,
}

/// A tick as the ledger has it: when it was due, the term that noted it, and whether it was enqueued.
pub type Tick = (DateTime<Utc>, i64, bool);

#[derive(Deserialize)]
struct Line {
    timestamp: DateTime<Utc>,
    message: String,
    holder: Option<String>,
    fencing_token: Option<i64>,
}

/// The terms of the scheduler with this log, the oldest first.
#[must_use]
pub fn of_log(log: &str) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    // Other lines may be of another form.
    for line in log.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        if line.message == ENDED
            && let Some(last) = terms.last_mut()
        {
            last.until = Some(line.timestamp);
        }
        if line.message == BEGAN
            && let (Some(holder), Some(fencing_token)) = (line.holder, line.fencing_token)
        {
            terms.push(Term { holder, fencing_token, from: line.timestamp, until: None });
        }
    }
    terms
}

/// What is wrong with the terms of all schedulers, and with the ticks of one schedule, the oldest first; empty when all is well.
/// Whoever was kept from running for so long as `stall_max` may have noticed the end of its term that much later.
#[must_use]
pub fn faults(mut terms: Vec<Term>, ticks: &[Tick], stall_max: Duration) -> Vec<String> {
    let mut found = Vec::new();
    terms.sort_by_key(|term| term.from);
    for [first, second] in terms.array_windows() {
        if first.until.is_none_or(|until| until > second.from + stall_max) {
            found.push(format!("two schedulers were active at once: {first:?} and {second:?}"));
        }
        let is_again = first.holder == second.holder && first.fencing_token == second.fencing_token;
        if first.fencing_token >= second.fencing_token && !is_again {
            found.push(format!("a later term has no larger token: {first:?} and {second:?}"));
        }
    }
    for [(first, token, _), (second, later, _)] in ticks.array_windows() {
        if first == second || token > later {
            found
                .push(format!("the tick at {second} was noted by term {later}, after that at {first} by term {token}"));
        }
    }
    for (tick, token, is_enqueued) in ticks {
        if let Some(later) = terms.iter().find(|term| term.fencing_token > *token && term.from <= *tick) {
            found.push(format!("the tick at {tick} was noted by term {token}, and it was the time of {later:?}"));
        }
        if !is_enqueued {
            found.push(format!("the tick at {tick} was not enqueued"));
        }
        if !terms.iter().any(|term| term.fencing_token == *token) {
            found.push(format!("the tick at {tick} was noted by term {token}, which nobody had"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn term(holder: &str, fencing_token: i64, from: i64, until: Option<i64>) -> Term {
        Term { holder: holder.into(), fencing_token, from: at(from), until: until.map(at) }
    }

    #[test]
    fn terms_are_read_from_a_log() {
        let line = |second, message: &str, token: &str| {
            format!(r#"{{"timestamp":"1970-01-01T00:00:{second:02}Z","level":"INFO","message":"{message}"{token}}}"#)
        };
        let token = |token| format!(r#","holder":"h","fencing_token":{token}"#);
        let log = [
            "not of ours".to_owned(),
            line(1, BEGAN, &token(3)),
            line(5, "Something else.", ""),
            line(7, ENDED, r#","holder":"h""#),
            line(9, BEGAN, &token(5)),
        ];
        assert_eq!(of_log(&log.join("\n")), [term("h", 3, 1, Some(7)), term("h", 5, 9, None)]);
    }

    #[test]
    fn each_thing_that_can_go_wrong_is_found() {
        let terms = vec![term("a", 1, 0, Some(5)), term("a", 1, 6, Some(9)), term("b", 2, 10, None)];
        let ticks = [(at(2), 1, true), (at(4), 1, true), (at(6), 2, true)];
        assert_eq!(faults(terms.clone(), &ticks, Duration::ZERO), Vec::<String>::new());
        let late = vec![term("a", 1, 0, Some(7)), term("b", 2, 5, None)];
        assert_eq!(faults(late.clone(), &ticks, Duration::from_secs(2)), Vec::<String>::new());
        for wrong in [
            late,
            vec![term("a", 1, 0, Some(3)), term("b", 2, 4, None)],
            vec![term("a", 1, 0, Some(11)), term("b", 2, 10, None)],
            vec![term("a", 1, 0, None), term("b", 2, 10, None)],
            vec![term("a", 2, 0, Some(9)), term("b", 1, 10, None)],
            vec![term("a", 1, 0, Some(5)), term("b", 1, 6, Some(9)), term("b", 2, 10, None)],
            vec![term("b", 2, 10, None)],
        ] {
            assert!(!faults(wrong.clone(), &ticks, Duration::ZERO).is_empty(), "{wrong:?}");
        }
        for wrong in [(at(6), 2, true), (at(8), 1, true), (at(8), 2, false), (at(8), 3, true)] {
            let ticks: Vec<_> = ticks.into_iter().chain([wrong]).collect();
            assert!(!faults(terms.clone(), &ticks, Duration::ZERO).is_empty(), "{wrong:?}");
        }
    }
}
