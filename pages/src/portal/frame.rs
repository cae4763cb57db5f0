//! What is around every page of the portal: the project's name, picture and colours, the way to the other pages, and the
//! choice of a language.

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use super::strings::Language;
use crate::{
    assets::{ASSETS, path},
    frame::{Flash, Theme},
    icon::{Icon, icon},
    link::Link,
};

/// The key of the address under which a page token travels, where no cookie can.
pub const PAGE_TOKEN: &str = "s";

/// Where in the portal a page is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PortalPlace {
    /// Nowhere in its navigation.
    #[default]
    Elsewhere,
    /// Endpoints.
    Endpoints,
    /// Events.
    Events,
    /// Deliveries.
    Deliveries,
    /// The catalogue of event types.
    Catalogue,
}

/// What is around a page.
#[derive(Debug, Clone, Default)]
pub struct PortalFrame {
    /// The moment for which the page is made.
    pub now: DateTime<Utc>,
    /// The reader's language.
    pub language: Language,
    /// What the portal is called.
    pub name: String,
    /// URL of a picture beside the name.
    pub logo: Option<String>,
    /// Address of a style sheet with the project's colours.
    pub sheet: Option<String>,
    /// Whether pages are light or dark.
    pub scheme: Theme,
    /// The address of the portal; empty for who has not come in.
    pub base: String,
    /// What links and forms carry where no cookie can; empty where one does.
    pub page_token: String,
    /// The token of forms.
    pub csrf: String,
    /// Whether the reader may change endpoints.
    pub can_manage: bool,
    /// Whether the reader may make endpoints.
    pub can_make: bool,
    /// Where in the portal the page is.
    pub place: PortalPlace,
    /// What was just done.
    pub flash: Option<Flash>,
    /// The page's own path below the portal, and its query.
    pub here: (String, Vec<(String, String)>),
}

impl PortalFrame {
    /// The address of something in the portal; `rest` begins with a slash.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        self.link(rest, &[])
    }

    /// The same with a query.
    #[must_use]
    pub fn link(&self, rest: &str, query: &[(String, String)]) -> String {
        let token = (PAGE_TOKEN.to_string(), self.page_token.clone());
        Link::to(format!("{}{rest}", self.base)).with_query(query).with_query(&[token]).build()
    }

    /// What a form that asks for a page carries, since it leaves out the query of its address.
    #[must_use]
    pub fn carried(&self) -> Markup {
        html! { @if !self.page_token.is_empty() { input type="hidden" name=(PAGE_TOKEN) value=(self.page_token); } }
    }

    /// The hidden field without which a form that changes something is refused.
    #[must_use]
    pub fn token(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// A button that does something.
    #[must_use]
    pub fn action(&self, rest: &str, label: &str, class: &str) -> Markup {
        html! {
            form.inline method="post" action=(self.path(rest)) {
                (self.token())
                button class=(class) type="submit" { (label) }
            }
        }
    }

    /// The whole page.
    #[must_use]
    pub fn document(&self, title: &str, content: &Markup) -> Markup {
        let theme = (self.scheme != Theme::System).then_some(self.scheme.as_str());
        let words = self.language.words();
        html! {
            (DOCTYPE)
            html lang=(self.language.code) data-theme=[theme] data-words=(words) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content=(theme.unwrap_or("light dark"));
                    meta name="robots" content="noindex";
                    title { (title) @if !self.name.is_empty() { " · " (self.name) } }
                    link rel="icon" href=(path(&ASSETS.icon)) type="image/svg+xml";
                    link rel="stylesheet" href=(path(&ASSETS.style));
                    link rel="stylesheet" href=(path(&ASSETS.portal_style));
                    @if let Some(sheet) = &self.sheet { link rel="stylesheet" href=(sheet); }
                    script src=(path(&ASSETS.script)) defer {}
                }
                body.wide.portal {
                    a.skip href="#content" { (self.language.strings.skip_to_content) }
                    (self.header())
                    main #content tabindex="-1" {
                        @if let Some(flash) = &self.flash { (show(flash)) }
                        (content)
                    }
                    (self.footer())
                }
            }
        }
    }

    fn header(&self) -> Markup {
        let t = self.language.strings;
        let places = [
            (PortalPlace::Endpoints, "/endpoints", &t.endpoints, Icon::Endpoint),
            (PortalPlace::Events, "/events", &t.events, Icon::Event),
            (PortalPlace::Deliveries, "/deliveries", &t.deliveries, Icon::Delivery),
            (PortalPlace::Catalogue, "/catalogue", &t.catalogue, Icon::Subscription),
        ];
        html! {
            header.top {
                span.brand {
                    @if let Some(logo) = &self.logo { img.logo src=(logo) alt="" height="28" referrerpolicy="no-referrer"; }
                    span #portal-name { (self.name) }
                }
            }
            @if !self.base.is_empty() {
                nav.bar aria-label=(t.navigation) {
                    ul {
                        @for (place, rest, label, picture) in places {
                            li {
                                a href=(self.path(rest)) aria-current=[(place == self.place).then_some("page")] {
                                    (icon(picture)) span { (label) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let (here, query) = &self.here;
        let address = |language: Language| {
            let mut query = query.clone();
            query.push(("lang".into(), language.code.into()));
            self.link(here, &query)
        };
        html! {
            @if !self.base.is_empty() {
                footer.foot {
                    nav #languages aria-label=(self.language.strings.language) {
                        ul {
                            @for language in Language::all() {
                                li {
                                    a href=(address(language)) lang=(language.code) hreflang=(language.code)
                                        aria-current=[(language.code == self.language.code).then_some("true")] {
                                        (language.strings.language_name)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn show(flash: &Flash) -> Markup {
    let (class, picture) = if flash.is_good { ("notice good", Icon::Check) } else { ("notice bad", Icon::Warning) };
    html! { p #flash class=(class) role=(if flash.is_good { "status" } else { "alert" }) { (icon(picture)) span { (flash.text) } } }
}
