//! How a project's portal looks: its name, its picture and its colours.

use posthouse_boxed::boxed;
use posthouse_pages::{
    frame::Theme,
    portal::colour::{Colour, Colours},
};
use posthouse_schema::project::Project;
use salvo::{
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    prelude::*,
};
use url::Url;

use super::framing::{self, Framing};
use crate::app::App;

/// How a portal looks.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What it is called.
    pub name: String,
    /// URL of its picture.
    pub logo: Option<String>,
    /// Address of the style sheet with its colours.
    pub sheet: Option<String>,
    /// Whether it is light or dark.
    pub scheme: Theme,
    /// Who may frame it, and where its picture comes from.
    pub framing: Framing,
}

impl Look {
    /// That of a project. What was stored is judged again: nothing of it gets into a header as it is.
    pub fn of(project: &Project, app: &App) -> Self {
        let own = &project.config.portal;
        let chosen = |own: &str, other: &str| if own.is_empty() { other.to_string() } else { own.to_string() };
        let logo = picture(&chosen(&own.logo_url, &project.logo_url));
        let colours = Colours { accent: Colour::parse(&own.accent_color), header: Colour::parse(&own.header_color) };
        let named: Vec<String> = own.frame_ancestors.iter().filter_map(|text| framing::source(text).ok()).collect();
        let ancestors =
            if own.frame_ancestors.is_empty() { app.settings.portal_frame_ancestors.clone() } else { named };
        Self {
            name: chosen(&own.name, &project.name),
            sheet: colours.name().map(|name| format!("/portal/theme/{name}")),
            scheme: Theme::parse(&own.color_scheme).unwrap_or_default(),
            framing: Framing { ancestors, picture: logo.as_ref().map(|url| url.origin().ascii_serialization()) },
            logo: logo.map(String::from),
        }
    }
}

/// A picture's address that browsers may fetch.
fn picture(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(framing::is_plain)).then_some(url)
}

/// A style sheet of chosen colours. Its name says all that is in it, so that browsers may keep it for ever.
#[handler]
#[boxed]
pub async fn sheet(req: &mut Request, res: &mut Response) {
    let Some(colours) = req.param::<String>("name").and_then(|name| Colours::named(&name)) else {
        res.status_code(StatusCode::NOT_FOUND);
        return;
    };
    res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    res.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if let Err(error) = res.write_body(colours.sheet()) {
        tracing::error!(%error, "A style sheet could not be written.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_s_host_says_nothing_else_in_a_policy() {
        assert!(picture("https://cdn.example.com/a.png").is_some());
        for text in
            ["https://a;frame-ancestors/x.png", "https://a,b/x.png", "https://*/x.png", "data:image/png,x", "/a.png"]
        {
            assert!(picture(text).is_none(), "{text}");
        }
    }
}
