//! Messages of brokers by the names that their brokers have for them, and the ids that they were given here: one that comes
//! again gets the id that it had, so it makes no second event. The newest are remembered, more than a broker has under way;
//! what was answered does not come again.

use std::{collections::HashMap, time::Duration};

use posthouse_schema::ids::SourceId;

use super::{
    QueueError, Queues,
    script::{Call, RECOGNISE},
    settings::BATCH_MAX,
};

/// Names of one source after which the new ones become the old ones; these two are remembered.
const NAMES: usize = 20_000;
/// How long they are remembered after the last message of their source.
const KEPT: Duration = Duration::from_hours(24);

/// A message that is about to become a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// What stands for it alone among those of its source, the same at every repetition.
    pub name: [u8; 16],
    /// The id that it gets, unless it has one; its time is now.
    pub id: u128,
    /// Whether its broker says that it never sent it before: then it has none, whatever its name.
    pub is_first: bool,
}

impl Queues {
    /// The id that each of these messages has from now on: that which was noted when it came before, or the one it is given here.
    ///
    /// # Errors
    /// [`QueueError::Redis`] or [`QueueError::Timeout`] when Redis does not answer within 3 s.
    pub async fn recognise(&self, source: SourceId, sightings: &[Sighting]) -> Result<Vec<u128>, QueueError> {
        let tag = format!("{{{}:source:{source}}}", self.prefix);
        let (new, old) = (format!("{tag}:names"), format!("{tag}:names:old"));
        let mut ids: Vec<u128> = sightings.iter().map(|sighting| sighting.id).collect();
        for (part, ids) in sightings.chunks(BATCH_MAX).zip(ids.chunks_mut(BATCH_MAX)) {
            let mut call = Call::new(&RECOGNISE, &[&new, &old]);
            call.arg(NAMES).arg(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX));
            for sighting in part {
                call.arg(&sighting.name[..]).arg(&sighting.id.to_be_bytes()[..]).arg(u8::from(sighting.is_first));
            }
            let known: HashMap<usize, Vec<u8>> = self.connection.call(&call).await?;
            for (at, id) in known {
                if let (Some(to), Ok(id)) = (ids.get_mut(at), <[u8; 16]>::try_from(id)) {
                    *to = u128::from_be_bytes(id);
                }
            }
        }
        Ok(ids)
    }
}
