//! Which deliveries a retry in all projects means. The time has to be given: without it a slip would send years again.

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_schema::{instance_retry::InstanceRetryFilter, words::DeliveryStatus};
use salvo::Request;

use super::wire::InstanceRetryBody;
use crate::{error::ApiError, query, version::parse_duration};

/// States in which a delivery rests without success.
const RETRIABLE: [DeliveryStatus; 2] = [DeliveryStatus::Failure, DeliveryStatus::Discarded];
/// The longest time that is looked back: 90 days.
const TIME_SECONDS_MAX: i64 = 90 * 24 * 3_600;

/// What the query says in place of a body.
pub fn of_query(req: &Request) -> InstanceRetryBody {
    InstanceRetryBody {
        status: Some(query::list(req, "status").join(",")),
        time: query::one(req, "time"),
        event_id: query::one(req, "event_id"),
    }
}

/// The filter that is asked for, seen from `now`: what comes later was not asked for.
///
/// # Errors
/// 400 naming the field.
pub fn read(body: &InstanceRetryBody, now: DateTime<Utc>) -> Result<InstanceRetryFilter, ApiError> {
    let given = |text: Option<&str>| text.map(str::trim).unwrap_or_default().to_string();
    let statuses = statuses(&given(body.status.as_deref()))?;
    let seconds = seconds(&given(body.time.as_deref()))?;
    let event_id = match given(body.event_id.as_deref()) {
        text if text.is_empty() => None,
        text => Some(text.parse().map_err(|_| ApiError::invalid("event_id: the id of an event is expected"))?),
    };
    Ok(InstanceRetryFilter { statuses, event_id, from: now - TimeDelta::seconds(seconds), to: now })
}

/// The states of a list with commas; all that can be retried where it names none.
fn statuses(list: &str) -> Result<Vec<DeliveryStatus>, ApiError> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    let named = words.map(status).collect::<Result<Vec<_>, _>>()?;
    // Each once, however often it is named.
    Ok(RETRIABLE.into_iter().filter(|status| named.is_empty() || named.contains(status)).collect())
}

fn status(word: &str) -> Result<DeliveryStatus, ApiError> {
    match DeliveryStatus::parse(word) {
        Some(status) if RETRIABLE.contains(&status) => Ok(status),
        Some(DeliveryStatus::Success) => {
            Err(ApiError::invalid("status: what is in Success was delivered, and is not sent again"))
        }
        Some(status) => {
            Err(ApiError::invalid(format!("status: what is in {status} has attempts ahead, and goes on by itself")))
        }
        None => {
            let [one, other] = RETRIABLE;
            Err(ApiError::invalid(format!("status: {one}, {other} or both with a comma between are expected")))
        }
    }
}

fn seconds(time: &str) -> Result<i64, ApiError> {
    let invalid = |reason: &'static str| Err(ApiError::invalid(reason));
    match parse_duration(time) {
        _ if time.is_empty() => invalid("time: please say how far back, such as 1h30m"),
        None => invalid("time: whole hours, minutes and seconds are expected, such as 1h30m"),
        Some(0) => invalid("time: at least 1s is expected"),
        Some(seconds) if seconds > TIME_SECONDS_MAX => invalid("time: at most 2160h (90 days) are accepted"),
        Some(seconds) => Ok(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: &str, time: &str, event_id: &str) -> Result<InstanceRetryFilter, String> {
        let text = |text: &str| Some(text.to_string());
        let body = InstanceRetryBody { status: text(status), time: text(time), event_id: text(event_id) };
        read(&body, DateTime::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn what_can_be_retried_is_read() {
        use DeliveryStatus::{Discarded, Failure};
        for (status, expected) in [
            ("", vec![Failure, Discarded]),
            (" , ", vec![Failure, Discarded]),
            ("Failure", vec![Failure]),
            ("Discarded, Failure,Discarded", vec![Failure, Discarded]),
        ] {
            assert_eq!(asked(status, "1h", "").unwrap().statuses, expected, "{status:?}");
        }
        for (time, seconds) in [("1s", 1), (" 1h30m ", 5_400), ("2160h", TIME_SECONDS_MAX)] {
            let filter = asked("", time, "").unwrap();
            assert_eq!(((filter.to - filter.from).num_seconds(), filter.to), (seconds, DateTime::UNIX_EPOCH), "{time}");
        }
        let id = "01J8ZK3V5W6X7Y8Z9A0B1C2D3E";
        assert_eq!(asked("", "1h", id).unwrap().event_id.unwrap().to_string(), id);
        assert_eq!(asked("", "1h", " ").unwrap().event_id, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (status, time, event_id, message) in [
            ("failed", "1h", "", "status: Failure, Discarded or both with a comma between are expected"),
            ("Failure,Success", "1h", "", "status: what is in Success was delivered, and is not sent again"),
            ("Retry", "1h", "", "status: what is in Retry has attempts ahead, and goes on by itself"),
            ("Scheduled", "1h", "", "status: what is in Scheduled has attempts ahead, and goes on by itself"),
            ("Processing", "1h", "", "status: what is in Processing has attempts ahead, and goes on by itself"),
            ("", "", "", "time: please say how far back, such as 1h30m"),
            ("", "90", "", "time: whole hours, minutes and seconds are expected, such as 1h30m"),
            ("", "-1h", "", "time: whole hours, minutes and seconds are expected, such as 1h30m"),
            ("", "99999999999999999999h", "", "time: whole hours, minutes and seconds are expected, such as 1h30m"),
            ("", "0s", "", "time: at least 1s is expected"),
            ("", "500ms", "", "time: at least 1s is expected"),
            ("", "2160h1s", "", "time: at most 2160h (90 days) are accepted"),
            ("", "1h", "x", "event_id: the id of an event is expected"),
        ] {
            assert_eq!(asked(status, time, event_id), Err(message.into()), "{status:?} {time:?} {event_id:?}");
        }
    }
}
