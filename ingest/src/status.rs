//! How the sources are doing that this instance reads. Counting costs a lock and no call: what is new is told once a second by
//! [`crate::watch`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::Utc;
use posthouse_jobs::queue::SourceNote;
use posthouse_schema::{
    ids::{ProjectId, SourceId},
    source_feed::FeedSource,
};
use tokio::time::Instant;

/// How often something is told of a source of which there is nothing new: whoever looks can tell it from one that is dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// What a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is being read; what comes of its messages is not known yet.
    Reached,
    /// Its messages become events, or it is to rest.
    Good,
    /// It could not be read for a while.
    Unreachable,
    /// For a while, no message of it became an event and several should have.
    Rejecting,
}

impl Health {
    /// The word for a source that is failing like this; `None`: it is not.
    #[must_use]
    pub const fn failing(self) -> Option<&'static str> {
        match self {
            Self::Reached | Self::Good => None,
            Self::Unreachable => Some("unreachable"),
            Self::Rejecting => Some("rejecting"),
        }
    }
}

/// What is to be told of a source.
#[derive(Debug, Clone)]
pub struct Report {
    /// The source.
    pub source_id: SourceId,
    /// Its project.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// The word for its broker.
    pub broker: String,
    /// What is new, if anything.
    pub note: Option<SourceNote>,
    /// How it is, where that is certain and was not settled before.
    pub health: Option<Health>,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// Whether it is gone for good, and nothing is to be remembered of it.
    pub is_gone: bool,
}

/// Sources that this instance reads. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SourceStatuses {
    entries: Arc<Mutex<HashMap<SourceId, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    project_id: ProjectId,
    name: String,
    broker: String,
    note: SourceNote,
    last_error: Option<String>,
    is_news: bool,
    told_at: Option<Instant>,
    /// Since when it cannot be read.
    unread_since: Option<Instant>,
    /// The first and the latest message that was refused since one became an event.
    rejecting: Option<(Instant, Instant)>,
    has_accepted: bool,
    lag_asked_at: Option<Instant>,
    settled: Option<Health>,
    end: Option<End>,
}

/// Why nothing more will be told of a source by this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Another instance may read it now.
    Left,
    /// It is disabled: that it is not read is no failure.
    Resting,
    /// It is deleted.
    Gone,
}

impl SourceStatuses {
    /// This instance reads the source from now on, or tries to.
    pub fn begin(&self, source: &FeedSource) {
        let (mut entries, mut entry) = (self.lock(), Entry::new(source));
        if let Some(before) = entries.remove(&source.id) {
            entry.note = SourceNote { is_connected: false, ..before.note };
        }
        entries.insert(source.id, entry);
    }

    /// This instance reads it no more.
    pub fn end(&self, source: &FeedSource, end: End) {
        let mut entries = self.lock();
        if end == End::Left && !entries.contains_key(&source.id) {
            return;
        }
        let entry = entries.entry(source.id).or_insert_with(|| Entry::new(source));
        entry.end = Some(end);
        entry.set_connected(false, Instant::now());
    }

    /// Whether it is being read.
    pub fn set_connected(&self, source: SourceId, is_connected: bool) {
        self.with(source, |entry| entry.set_connected(is_connected, Instant::now()));
    }

    /// It cannot be read, for this reason.
    pub fn lost(&self, source: SourceId, error: &str) {
        self.with(source, |entry| entry.went_wrong(error));
    }

    /// Its broker brought messages.
    pub fn received(&self, source: SourceId, count: usize) {
        self.with(source, |entry| {
            entry.note.received += count as u64;
            entry.note.last_message_at = Some(Utc::now());
        });
    }

    /// So many messages became events.
    pub fn accepted(&self, source: SourceId, count: usize) {
        self.with(source, |entry| {
            entry.note.accepted += count as u64;
            (entry.rejecting, entry.has_accepted) = (None, true);
        });
    }

    /// Whether the source's lag is to be asked for now, by whoever asks here: it was not for this long.
    #[must_use]
    pub fn takes_lag(&self, source: SourceId, pause: Duration) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&source) else { return true };
        let now = Instant::now();
        let is_due = entry.lag_asked_at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
        if is_due {
            entry.lag_asked_at = Some(now);
        }
        is_due
    }

    /// So many messages wait at its broker.
    pub fn lag(&self, source: SourceId, lag: u64) {
        self.with(source, |entry| entry.note.lag = Some(lag));
    }

    /// A message was refused, for this reason.
    pub fn rejected(&self, source: SourceId, error: &str) {
        self.with(source, |entry| entry.rejected(error, Instant::now()));
    }

    /// What is to be told now, where a source that is failing for `failing_after` is one. What is taken here is news no more.
    #[must_use]
    pub fn take_reports(&self, now: Instant, failing_after: Duration) -> Vec<Report> {
        let mut entries = self.lock();
        let reports = entries.iter_mut().map(|(id, entry)| entry.report(*id, now, failing_after)).collect();
        entries.retain(|_, entry| entry.end.is_none());
        reports
    }

    /// The note could not be told: it is to be told later.
    pub fn put_back(&self, source: SourceId, note: SourceNote) {
        self.with(source, |entry| {
            entry.note.received += note.received;
            entry.note.accepted += note.accepted;
            entry.note.rejected += note.rejected;
            entry.note.lag = entry.note.lag.or(note.lag);
            entry.note.last_message_at = entry.note.last_message_at.or(note.last_message_at);
            entry.note.error = entry.note.error.take().or(note.error);
        });
    }

    /// How the source is was told.
    pub fn settled(&self, source: SourceId, health: Health) {
        if let Some(entry) = self.lock().get_mut(&source) {
            entry.settled = Some(health);
        }
    }

    fn with(&self, source: SourceId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().get_mut(&source) {
            entry.is_news = true;
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SourceId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(source: &FeedSource) -> Self {
        let broker = source.pub_sub.as_ref().and_then(|settings| settings.get("type")?.as_str());
        Self {
            project_id: source.project_id,
            name: source.name.clone(),
            broker: broker.unwrap_or_default().to_owned(),
            note: SourceNote::default(),
            last_error: None,
            is_news: true,
            told_at: None,
            unread_since: Some(Instant::now()),
            rejecting: None,
            has_accepted: false,
            lag_asked_at: None,
            settled: None,
            end: None,
        }
    }

    fn set_connected(&mut self, is_connected: bool, now: Instant) {
        self.note.is_connected = is_connected;
        self.unread_since = if is_connected { None } else { self.unread_since.or(Some(now)) };
        self.is_news = true;
    }

    fn rejected(&mut self, error: &str, now: Instant) {
        self.note.rejected += 1;
        self.rejecting = Some((self.rejecting.map_or(now, |(first, _)| first), now));
        self.went_wrong(error);
    }

    fn went_wrong(&mut self, error: &str) {
        self.note.error = Some((error.to_owned(), Utc::now()));
        self.last_error = Some(error.to_owned());
    }

    fn health(&self, now: Instant, failing_after: Duration) -> Option<Health> {
        match (self.end, self.unread_since, self.rejecting) {
            (Some(End::Resting | End::Gone), ..) => Some(Health::Good),
            (Some(End::Left), ..) => None,
            (None, Some(since), _) => {
                (now.saturating_duration_since(since) >= failing_after).then_some(Health::Unreachable)
            }
            (None, None, Some((first, last))) => {
                (last.saturating_duration_since(first) >= failing_after).then_some(Health::Rejecting)
            }
            (None, None, None) if self.has_accepted => Some(Health::Good),
            (None, None, None) => Some(Health::Reached),
        }
    }

    fn report(&mut self, source_id: SourceId, now: Instant, failing_after: Duration) -> Report {
        let is_due = self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= SIGN_OF_LIFE);
        let is_told = self.is_news || is_due && self.note.is_connected;
        let note = is_told.then(|| {
            (self.is_news, self.told_at) = (false, Some(now));
            let is_connected = self.note.is_connected;
            std::mem::replace(&mut self.note, SourceNote { is_connected, ..SourceNote::default() })
        });
        let health = self.health(now, failing_after).filter(|health| self.settled != Some(*health));
        Report {
            source_id,
            project_id: self.project_id,
            name: self.name.clone(),
            broker: self.broker.clone(),
            note,
            health,
            last_error: self.last_error.clone(),
            is_gone: self.end == Some(End::Gone),
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
