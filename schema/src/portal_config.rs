//! How a project's customer portal looks, and which sites may frame it: a part of the project's settings. All of it is
//! optional.

use serde::{Deserialize, Serialize};

/// The look of a portal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalConfig {
    /// What it is called at the top of its pages; empty for the project's name.
    pub name: String,
    /// URL of a picture beside the name; empty for the project's own.
    pub logo_url: String,
    /// Colour of links and buttons, such as `#2a54cc`; empty for ours.
    pub accent_color: String,
    /// Colour behind the name at the top; empty for ours.
    pub header_color: String,
    /// `light` or `dark`; empty for as the reader's system is.
    pub color_scheme: String,
    /// Sites that may frame it, instead of those that the instance names; empty for those.
    pub frame_ancestors: Vec<String>,
}

impl PortalConfig {
    /// Whether nothing is set.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
