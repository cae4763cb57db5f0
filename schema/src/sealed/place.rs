//! Where a secret is stored. It is authenticated with it.

/// The secret of a project's meta events, a member of its settings.
pub(crate) const META_EVENT_SECRET: &str = "projects.config";
/// The URL of a project's chat in Slack, another one.
pub(crate) const PROJECT_SLACK_URL: &str = "projects.config.notifications.slack_webhook_url";
/// The URL of a project's chat in Teams, another one.
pub(crate) const PROJECT_TEAMS_URL: &str = "projects.config.notifications.teams_webhook_url";

/// A table's column, and a row of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The column `table.column` of the row with this key.
    #[must_use]
    pub fn new(column: &'static str, key: &[u128]) -> Self {
        let mut text = column.to_owned();
        for part in key {
            text.push_str(&format!("/{part:032x}"));
        }
        Self(text)
    }

    /// The same of a row whose key is a name.
    #[must_use]
    pub fn named(column: &'static str, name: &str) -> Self {
        Self(format!("{column}/{name}"))
    }

    /// A row whose key PostgreSQL has written as text: ids without their hyphens, and names.
    pub(super) fn read(column: &str, key: &[String]) -> Self {
        Self(format!("{column}/{}", key.join("/")))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
