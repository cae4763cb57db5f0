//! Style sheet, script and icon, embedded into the binary. Their names carry a hash of their content, so that browsers may
//! keep them for ever.

use std::sync::LazyLock;

/// A file that browsers fetch.
#[derive(Debug)]
pub struct Asset {
    /// Its name, with a hash of its content.
    pub name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub content: &'static str,
}

/// All assets.
#[derive(Debug)]
pub struct Assets {
    /// How pages look.
    pub style: Asset,
    /// What the customer portal's pages have besides.
    pub portal_style: Asset,
    /// What makes them livelier.
    pub script: Asset,
    /// What stands in the browser's tab.
    pub icon: Asset,
}

/// The assets of this build.
pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: asset("posthouse", "css", "text/css; charset=utf-8", include_str!("../assets/posthouse.css")),
    portal_style: asset("portal", "css", "text/css; charset=utf-8", include_str!("../assets/portal.css")),
    script: asset("posthouse", "js", "text/javascript; charset=utf-8", include_str!("../assets/posthouse.js")),
    icon: asset("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")),
});

impl Assets {
    /// The asset of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Asset> {
        [&self.style, &self.portal_style, &self.script, &self.icon].into_iter().find(|asset| asset.name == name)
    }
}

fn asset(stem: &str, extension: &str, content_type: &'static str, content: &'static str) -> Asset {
    Asset { name: format!("{stem}-{:016x}.{extension}", hash(content.as_bytes())), content_type, content }
}

/// FNV-1a: it tells one release's file from another's, and guards nothing.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where an asset is served.
pub(crate) fn path(asset: &Asset) -> String {
    format!("/assets/{}", asset.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_the_content() {
        assert_ne!(hash(b"a"), hash(b"b"));
        assert!(ASSETS.find(&ASSETS.style.name).is_some() && ASSETS.find("posthouse.css").is_none());
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for asset in [&ASSETS.style, &ASSETS.portal_style, &ASSETS.script] {
            assert!(!asset.content.contains("//fonts.") && !asset.content.contains("https://"), "{}", asset.name);
        }
    }
}
