//! The tick of a schedule that caused a job, and where in a trace the scheduler enqueued it.

use std::fmt;

use chrono::{DateTime, Utc};
use posthouse_service::traces::Place;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A tick, as a part of a job: `{"tick", "traceparent"}`, the latter only where there are traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// When.
    #[serde(rename = "tick")]
    pub at: DateTime<Utc>,
    /// The span that enqueued the job.
    #[serde(
        default,
        rename = "traceparent",
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_place",
        deserialize_with = "read_place"
    )]
    pub parent: Option<Place>,
}

impl Tick {
    /// A tick that is in no trace.
    #[must_use]
    pub const fn at(at: DateTime<Utc>) -> Self {
        Self { at, parent: None }
    }

    /// A job's id: a tick's job is enqueued once, whatever trace it is in.
    #[must_use]
    pub fn id(self) -> String {
        format!("tick:{}", self.at.timestamp_millis())
    }
}

impl From<DateTime<Utc>> for Tick {
    fn from(at: DateTime<Utc>) -> Self {
        Self::at(at)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn write_place<S: Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    place.map(|place| place.to_string()).serialize(serializer)
}

/// What is no `traceparent` is in no trace.
fn read_place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Place>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(Place::parse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HouseTask, Job as _, KeepHouse, SweepDeliveries};

    #[test]
    fn a_job_names_the_span_that_enqueued_it_where_there_is_one() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let tick = Tick { parent: Place::parse(parent), ..DateTime::UNIX_EPOCH.into() };
        let job = KeepHouse { tick, task: HouseTask::CountEvents };
        let stored =
            format!(r#"{{"tick":"1970-01-01T00:00:00Z","traceparent":"{parent}","task":{{"name":"count_events"}}}}"#);
        assert_eq!(serde_json::to_string(&job).unwrap(), stored);
        assert_eq!(serde_json::from_str::<KeepHouse>(&stored).unwrap(), job);
        let untraced = KeepHouse { tick: tick.at.into(), task: HouseTask::CountEvents };
        assert_eq!(job.job_id(), untraced.job_id(), "it is one job in any trace");
        for nonsense in ["null", r#""nonsense""#, r#""""#] {
            let stored = format!(r#"{{"tick":"1970-01-01T00:00:00Z","traceparent":{nonsense}}}"#);
            let read: SweepDeliveries = serde_json::from_str(&stored).unwrap();
            assert_eq!(read, SweepDeliveries { tick: tick.at.into() }, "{nonsense}");
        }
    }
}
