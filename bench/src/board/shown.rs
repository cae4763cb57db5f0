//! What is looked at, and what it has to say.

use anyhow::{Context, Result, ensure};
use posthouse_jobs::{DeliverEvent, Job as _, QUEUES};
use serde_json::Value;

/// How many jobs there are.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Jobs that may run now.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub delayed: u64,
    /// Jobs that were done or given up before the first of these.
    pub ended_before: u64,
    /// Whether workers take them: then only their sum is known, and it is the same at every moment.
    pub is_at_work: bool,
}

impl Expected {
    const fn total(&self) -> u64 {
        self.ready + self.delayed + self.ended_before
    }
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The board, with a key.
    Board,
    /// The API, with a key.
    Api,
    /// The dashboard, by its session.
    Dashboard,
}

#[derive(Debug, Clone, Copy)]
enum Says {
    /// The board's figures of all queues.
    Overview,
    /// The board's figures of each queue.
    Queues,
    /// The board's figures of the queue.
    Statistics,
    /// So many jobs.
    Jobs(usize),
    /// The API's counts of the queue.
    Counts,
    /// A page with both numbers.
    Page,
    /// Nothing that is known beforehand.
    Something,
}

/// Something that is looked at.
pub struct Shown {
    /// Its name in the table.
    pub name: &'static str,
    /// Who is asked.
    pub place: Place,
    /// Whether it is asked for while workers empty the queue.
    pub is_looked_at_in_work: bool,
    path: &'static str,
    says: Says,
}

const fn shown(name: &'static str, place: Place, path: &'static str, says: Says) -> Shown {
    let is_looked_at_in_work = matches!(says, Says::Statistics | Says::Queues | Says::Overview | Says::Page);
    Shown { name, place, is_looked_at_in_work, path, says }
}

/// All of it. `{queue}` stands for the queue's name.
pub const PAGES: &[Shown] = &[
    shown("board: overview", Place::Board, "/api/v1/overview", Says::Overview),
    shown("board: queues", Place::Board, "/api/v1/queues", Says::Queues),
    shown("board: the queue", Place::Board, "/api/v1/queues/{queue}/stats", Says::Statistics),
    shown("board: its workers", Place::Board, "/api/v1/queues/{queue}/workers", Says::Something),
    shown("board: its jobs", Place::Board, "/api/v1/queues/{queue}/tasks?page=1&page_size=20", Says::Jobs(20)),
    shown(
        "board: its jobs, page 10,000",
        Place::Board,
        "/api/v1/queues/{queue}/tasks?page=10000&page_size=20",
        Says::Jobs(20),
    ),
    shown(
        "board: its ready jobs",
        Place::Board,
        "/api/v1/queues/{queue}/tasks?status=Pending&page=1&page_size=20",
        Says::Jobs(20),
    ),
    shown(
        "board: its delayed jobs",
        Place::Board,
        "/api/v1/queues/{queue}/tasks?status=Queued&page=1&page_size=20",
        Says::Jobs(20),
    ),
    shown("board: jobs of all queues", Place::Board, "/api/v1/tasks?page=1&page_size=20", Says::Jobs(20)),
    shown("API: the queue", Place::Api, "/ui/admin/queues/{queue}", Says::Counts),
    shown("API: queues", Place::Api, "/ui/admin/queues", Says::Something),
    shown("dashboard: queues", Place::Dashboard, "/admin/queues", Says::Page),
    shown("dashboard: the queue", Place::Dashboard, "/admin/queues/{queue}", Says::Page),
];

impl Shown {
    /// Where it is.
    pub fn path(&self) -> String {
        self.path.replace("{queue}", DeliverEvent::QUEUE)
    }

    /// Whether an answer is right.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, body: &[u8], expected: &Expected) -> Result<()> {
        if let Says::Page = self.says {
            let html = String::from_utf8_lossy(body);
            let says = |number: u64| html.contains(&grouped(number));
            let is_right = expected.is_at_work || says(expected.ready) && says(expected.delayed);
            ensure!(is_right && html.contains(DeliverEvent::QUEUE), "the page does not say {expected:?}");
            return Ok(());
        }
        let body: Value = serde_json::from_slice(body).context("the answer is JSON")?;
        match self.says {
            Says::Overview => {
                // Other queues have had jobs of their own.
                let total = figure(&body, "TOTAL_JOBS")?;
                ensure!(total >= expected.total(), "{total} jobs, {expected:?}");
            }
            Says::Queues => {
                let rows = body.as_array().context("a list")?;
                ensure!(rows.len() == QUEUES.len(), "{} queues", rows.len());
                let own = rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(DeliverEvent::QUEUE));
                statistics(own.and_then(|row| row.get("stats")).context("the queue's figures")?, expected)?;
            }
            Says::Statistics => statistics(&body, expected)?,
            Says::Jobs(count) => {
                let found = body.as_array().context("a list")?.len();
                ensure!(expected.is_at_work || found == count, "{found} jobs on a page of {count}");
            }
            Says::Counts => {
                let count = |name: &str| body.pointer(&format!("/data/{name}")).and_then(Value::as_u64);
                let found = (count("ready"), count("delayed"));
                let right = (Some(expected.ready), Some(expected.delayed));
                ensure!(expected.is_at_work || found == right, "{found:?}, {expected:?}");
            }
            Says::Page | Says::Something => {}
        }
        Ok(())
    }
}

fn statistics(found: &Value, expected: &Expected) -> Result<()> {
    let total = figure(found, "TOTAL_JOBS")?;
    ensure!(total == expected.total(), "{total} jobs, {expected:?}");
    if !expected.is_at_work {
        let (pending, delayed) = (figure(found, "PENDING_JOBS")?, figure(found, "DELAYED_JOBS")?);
        ensure!(pending == expected.ready + expected.delayed, "{pending} pending, {expected:?}");
        ensure!(delayed == expected.delayed, "{delayed} delayed, {expected:?}");
    }
    Ok(())
}

fn figure(found: &Value, title: &str) -> Result<u64> {
    let mut rows = found.as_array().context("figures")?.iter();
    let row = rows.find(|row| row.get("title").and_then(Value::as_str) == Some(title));
    let value = row.and_then(|row| row.get("value")).and_then(Value::as_str).with_context(|| title.to_string())?;
    value.parse().with_context(|| format!("{title}: {value}"))
}

/// As pages write numbers.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected = Expected { ready: 999_000, delayed: 1_000, ended_before: 5, is_at_work: false };

    fn page(name: &str) -> &'static Shown {
        PAGES.iter().find(|page| page.name == name).unwrap()
    }

    #[test]
    fn wrong_numbers_are_seen() {
        let figures = |total: &str, pending: &str| {
            json!([{"title": "TOTAL_JOBS", "value": total}, {"title": "PENDING_JOBS", "value": pending}, {"title": "DELAYED_JOBS", "value": "1000"}])
                .to_string()
        };
        let queue = page("board: the queue");
        assert!(queue.check(figures("1000005", "1000000").as_bytes(), &EXPECTED).is_ok());
        assert!(queue.check(figures("1000004", "1000000").as_bytes(), &EXPECTED).is_err());
        assert!(queue.check(figures("1000005", "999999").as_bytes(), &EXPECTED).is_err());
        let at_work = Expected { is_at_work: true, ..EXPECTED };
        assert!(queue.check(figures("1000005", "3").as_bytes(), &at_work).is_ok());
        assert!(queue.check(figures("1000006", "3").as_bytes(), &at_work).is_err());
        let html = |ready: &str| format!("deliver_event {ready} ready, 1,000 wait");
        let dashboard = page("dashboard: the queue");
        assert!(dashboard.check(html("999,000").as_bytes(), &EXPECTED).is_ok());
        assert!(dashboard.check(html("998,999").as_bytes(), &EXPECTED).is_err());
        assert!(page("board: its jobs").check(b"[1, 2]", &EXPECTED).is_err());
        let counts = json!({"data": {"ready": 999_000, "delayed": 1_000}}).to_string();
        assert!(page("API: the queue").check(counts.as_bytes(), &EXPECTED).is_ok());
    }
}
