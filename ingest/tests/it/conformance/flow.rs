//! Messages that are published at a steady pace while something happens to those who read them.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle, time::interval};

use super::TestBroker;
use crate::broker::numbers;

/// Into how many parts the messages are divided, and how often one is published.
const PARTS: usize = 100;
const PACE: Duration = Duration::from_millis(50);
/// After so long without a confirmation a part is published again, and with this much more for each of its messages.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
const CONFIRMED_EACH: Duration = Duration::from_millis(50);
/// Longest time for all messages to flow; with more of them more.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a message may take, of many.
const EACH: Duration = Duration::from_millis(60);

/// How many messages an outage is tried with: `POSTHOUSE_TEST_MESSAGES`, 2,000 unless set.
pub fn messages() -> usize {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the test chooses its length")]
    let given = std::env::var("POSTHOUSE_TEST_MESSAGES");
    given.ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

/// `least`, or what so many messages may take where that is more.
pub fn patience(least: Duration) -> Duration {
    least.max(EACH * u32::try_from(messages()).unwrap())
}

pub struct Flow {
    percent: watch::Receiver<usize>,
    allowed: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Flow {
    /// Publishes messages with the numbers from 0 to `count`, each at least once, up to so many of a hundred parts.
    pub fn start<B: TestBroker + 'static>(port: u16, place: &'static str, count: usize, allowed: usize) -> Self {
        let (progress, percent) = watch::channel(0);
        let (allowed, mut limit) = watch::channel(allowed);
        let task = tokio::spawn(async move {
            let mut pace = interval(PACE);
            for part in 0..PARTS {
                pace.tick().await;
                if limit.wait_for(|limit| *limit > part).await.is_err() {
                    return;
                }
                let bodies = numbers(count * part / PARTS..count * (part + 1) / PARTS);
                let within = CONFIRMED_WITHIN + CONFIRMED_EACH * u32::try_from(bodies.len()).unwrap();
                let confirmed = || tokio::time::timeout(within, B::try_publish(port, place, &bodies));
                while !matches!(confirmed().await, Ok(Ok(()))) {
                    pace.tick().await;
                }
                progress.send_replace(part + 1);
            }
        });
        Self { percent, allowed, task }
    }

    /// Lets it go on. Only what is published after something went away shows what its absence does.
    pub fn goes_on_to(&self, percent: usize) {
        self.allowed.send_replace(percent);
    }

    /// Waits until so many of a hundred parts are published.
    pub async fn reaches(&mut self, percent: usize) {
        let reached = self.percent.wait_for(|now| *now >= percent);
        tokio::time::timeout(patience(LIMIT), reached).await.expect("messages flow").unwrap();
    }

    pub async fn ends(self) {
        tokio::time::timeout(patience(LIMIT), self.task).await.expect("the flow ends").unwrap();
    }
}
