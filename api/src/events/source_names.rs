//! The names of the sources by which events came in.

use std::collections::HashMap;

use posthouse_schema::{
    event::Event,
    ids::{ProjectId, SourceId},
    pool::PooledConnection,
    source::Source,
};

use crate::{error::ApiError, sources::metadata::SourceMetadata};

/// Names of live sources.
pub struct SourceNames(HashMap<SourceId, String>);

impl SourceNames {
    /// The names of these events' sources. Costs no query where none came in by a source.
    ///
    /// # Errors
    /// The database fails.
    pub async fn of<'e>(
        conn: &mut PooledConnection,
        project: ProjectId,
        events: impl IntoIterator<Item = &'e Event>,
    ) -> Result<Self, ApiError> {
        let mut ids: Vec<SourceId> = events.into_iter().filter_map(|event| event.source_id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let sources = Source::find_many(conn, project, &ids).await?;
        Ok(Self(sources.into_iter().map(|source| (source.id, source.name)).collect()))
    }

    /// The source's name.
    #[must_use]
    pub fn name(&self, id: Option<SourceId>) -> Option<&str> {
        self.0.get(&id?).map(String::as_str)
    }

    /// The source as deliveries show it.
    #[must_use]
    pub fn metadata(&self, id: Option<SourceId>) -> SourceMetadata {
        SourceMetadata::new(
            id.map(|id| id.to_string()).unwrap_or_default(),
            self.name(id).unwrap_or_default().to_string(),
        )
    }
}
