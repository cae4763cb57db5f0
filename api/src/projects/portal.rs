//! A project's settings for the portal of its customers: what is wrong is said when it is set, so that pages need not.

use posthouse_pages::portal::colour::Colour;
use posthouse_schema::portal_config::PortalConfig;
use url::Url;

use crate::{
    body::bounded,
    error::ApiError,
    portal_pages::framing::{self, SOURCES_MAX},
};

const NAME_CHARS_MAX: usize = 100;
const SCHEMES: [&str; 3] = ["", "light", "dark"];

/// The settings as they are stored.
///
/// # Errors
/// 400 naming the key.
pub fn checked(given: PortalConfig) -> Result<PortalConfig, ApiError> {
    bounded("config.portal.name", &given.name)?;
    bounded("config.portal.logo_url", &given.logo_url)?;
    let is_colour = |text: &str| text.is_empty() || Colour::parse(text).is_some();
    let faults = [
        (
            given.name.chars().count() > NAME_CHARS_MAX || given.name.contains(char::is_control),
            format!("config.portal.name: at most {NAME_CHARS_MAX} characters in one line are accepted"),
        ),
        (
            !given.logo_url.is_empty() && !is_picture(&given.logo_url),
            "config.portal.logo_url: an http or https URL is expected".into(),
        ),
        (!is_colour(&given.accent_color), "config.portal.accent_color: a colour such as #2a54cc is expected".into()),
        (!is_colour(&given.header_color), "config.portal.header_color: a colour such as #2a54cc is expected".into()),
        (
            !SCHEMES.contains(&given.color_scheme.as_str()),
            "config.portal.color_scheme: light or dark is expected, or nothing".into(),
        ),
        (
            given.frame_ancestors.len() > SOURCES_MAX,
            format!("config.portal.frame_ancestors: at most {SOURCES_MAX} are accepted"),
        ),
    ];
    if let Some((_, fault)) = faults.into_iter().find(|(is_wrong, _)| *is_wrong) {
        return Err(ApiError::invalid(fault));
    }
    let named = given.frame_ancestors.iter().map(|text| framing::source(text));
    let frame_ancestors = named
        .collect::<Result<_, _>>()
        .map_err(|why| ApiError::invalid(format!("config.portal.frame_ancestors: {why}")))?;
    Ok(PortalConfig { frame_ancestors, ..given })
}

fn is_picture(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(framing::is_plain)
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let empty = PortalConfig::default;
        assert_eq!(checked(empty()).unwrap(), empty());
        let whole = PortalConfig {
            name: "Acme Webhooks".into(),
            logo_url: "https://cdn.example.com/logo.svg".into(),
            accent_color: "#2A54CC".into(),
            header_color: "#ffffff".into(),
            color_scheme: "light".into(),
            frame_ancestors: vec!["https://App.example.com/".into(), "self".into()],
        };
        let stored = checked(whole.clone()).unwrap();
        assert_eq!(stored.frame_ancestors, ["https://app.example.com", "'self'"]);
        for (wrong, key) in [
            (PortalConfig { name: "a\nb".into(), ..empty() }, "name"),
            (PortalConfig { name: "x".repeat(101), ..empty() }, "name"),
            (PortalConfig { logo_url: "javascript:alert(1)".into(), ..empty() }, "logo_url"),
            (PortalConfig { logo_url: "data:image/png;base64,AA".into(), ..empty() }, "logo_url"),
            (PortalConfig { logo_url: "https://u:p@example.com/x".into(), ..empty() }, "logo_url"),
            (PortalConfig { accent_color: "red".into(), ..empty() }, "accent_color"),
            (PortalConfig { header_color: "#fff;}".into(), ..empty() }, "header_color"),
            (PortalConfig { color_scheme: "pink".into(), ..empty() }, "color_scheme"),
            (PortalConfig { frame_ancestors: vec!["*".into()], ..empty() }, "frame_ancestors"),
            (PortalConfig { frame_ancestors: vec!["self".into(); 51], ..empty() }, "frame_ancestors"),
        ] {
            let error = checked(wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("config.portal.{key}: ")), "{error}");
        }
    }
}
