//! Which broker a source has.

use posthouse_broker_settings::{Settings, SettingsError};
use posthouse_schema::source_feed::FeedSource;

/// The settings of a source's broker.
///
/// # Errors
/// Another kind of broker, or settings that cannot work; in words for the source's owner.
pub fn settings(source: &FeedSource) -> Result<Settings, SettingsError> {
    if let Some(why) = &source.locked {
        return Err(SettingsError::new("pub_sub", &format!("the broker's settings cannot be read: {why}")));
    }
    let nothing = || SettingsError::new("pub_sub", "a source of type pub_sub needs its broker");
    Settings::read(source.pub_sub.as_ref().ok_or_else(nothing)?, &format!("posthouse-{}", source.id))
}

/// How many connections each instance opens to a broker that deals messages out.
pub(crate) fn workers(source: &FeedSource) -> usize {
    source.pub_sub.as_ref().and_then(|pub_sub| posthouse_broker_settings::workers(pub_sub).ok()).unwrap_or(1)
}
