//! When a delivery is tried again: the same fields for a project and for a subscription.

use crate::field::{Field, Input};

const DURATION: &str = "First wait, seconds";
const COUNT: &str = "Attempts in all";
const SCHEDULE: &str = "Waits, seconds";
const SCHEDULE_HINT: &str = "One on a line, for waits of your own: one attempt more than there are waits.";
const DEADLINE: &str = "Nothing is tried after, seconds";
const DEADLINE_HINT: &str = "Counted from when the event was accepted; 0 for no such end.";

/// Those of a project.
pub const OF_PROJECT: [Field; 5] = [
    Field::new(
        "config.strategy.type",
        "Retries",
        Input::Choice(&[
            ("linear", "The same wait each time"),
            ("exponential", "Twice the wait each time"),
            ("custom", "Waits of your own"),
        ]),
    ),
    Field::number("config.strategy.duration", DURATION),
    Field::number("config.strategy.retry_count", COUNT),
    Field::new("config.strategy.schedule", SCHEDULE, Input::Numbers).hint(SCHEDULE_HINT),
    Field::number("config.strategy.deadline", DEADLINE).hint(DEADLINE_HINT),
];

/// Those of a subscription.
pub const OF_SUBSCRIPTION: [Field; 5] = [
    Field::new(
        "retry_config.type",
        "Retries",
        Input::Choice(&[
            ("", "As in the project"),
            ("linear", "The same wait each time"),
            ("exponential", "Twice the wait each time"),
            ("custom", "Waits of your own"),
        ]),
    )
    .hint("What was once set can be changed, and not be taken back."),
    Field::number("retry_config.duration", DURATION),
    Field::number("retry_config.retry_count", COUNT),
    Field::new("retry_config.schedule", SCHEDULE, Input::Numbers).hint(SCHEDULE_HINT),
    Field::number("retry_config.deadline", DEADLINE).hint(DEADLINE_HINT),
];
