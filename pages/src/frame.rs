//! What is around every page: head, navigation, what was just done, and the way to the content.

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use crate::{
    assets::{ASSETS, path},
    form,
    icon::{Icon, icon},
    link::Link,
};

/// How pages are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }
}

/// Where in a project a page is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// Nowhere in its navigation.
    #[default]
    Elsewhere,
    /// Its first page.
    Overview,
    /// Events.
    Events,
    /// Deliveries.
    Deliveries,
    /// Endpoints.
    Endpoints,
    /// Subscriptions.
    Subscriptions,
    /// Sources.
    Sources,
    /// Event types.
    EventTypes,
    /// Portal links.
    PortalLinks,
    /// Batches.
    Batches,
    /// Meta events.
    MetaEvents,
    /// The audit log.
    AuditLog,
    /// Settings, keys and what else administrators look after.
    Settings,
}

/// The navigation of a project: a new page adds a line here.
const NAVIGATION: [(Place, &str, &str, Icon); 12] = [
    (Place::Overview, "", "Overview", Icon::Overview),
    (Place::Events, "/events", "Events", Icon::Event),
    (Place::Deliveries, "/deliveries", "Deliveries", Icon::Delivery),
    (Place::Endpoints, "/endpoints", "Endpoints", Icon::Endpoint),
    (Place::Subscriptions, "/subscriptions", "Subscriptions", Icon::Subscription),
    (Place::Sources, "/sources", "Sources", Icon::Source),
    (Place::EventTypes, "/event-types", "Event types", Icon::Catalogue),
    (Place::PortalLinks, "/portal-links", "Portal links", Icon::Link),
    (Place::Batches, "/batches", "Batches", Icon::Retry),
    (Place::MetaEvents, "/meta-events", "Meta events", Icon::Bell),
    (Place::AuditLog, "/audit-log", "Audit log", Icon::Log),
    (Place::Settings, "/settings", "Settings", Icon::Settings),
];

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// First and last name; may be empty.
    pub name: String,
    /// Address.
    pub email: String,
}

/// The project that a page is of.
#[derive(Debug, Clone)]
pub struct ProjectFrame {
    /// The project.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its organisation's name.
    pub organisation: String,
    /// Whether the reader may change it.
    pub is_manager: bool,
    /// The projects of the organisation, by id and name.
    pub siblings: Vec<(String, String)>,
}

impl ProjectFrame {
    /// The address of something in the project; `rest` begins with a slash, or is empty.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/projects/{}{rest}", self.id)
    }
}

/// What was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Whether it went well.
    pub is_good: bool,
    /// What, for people.
    pub text: String,
}

/// What is around a page.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The moment for which the page is made.
    pub now: DateTime<Utc>,
    /// The reader's theme.
    pub theme: Theme,
    /// The token of the reader's forms; empty for who is not signed in.
    pub csrf: String,
    /// Who reads.
    pub person: Option<Person>,
    /// Whether they run the instance, as far as the page knows.
    pub runs_instance: bool,
    /// The project that the page is of.
    pub project: Option<ProjectFrame>,
    /// Where in it.
    pub place: Place,
    /// What was just done.
    pub flash: Option<Flash>,
    /// Path and query of the page.
    pub here: String,
}

impl Frame {
    /// The whole page.
    #[must_use]
    pub fn document(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[(self.theme != Theme::System).then_some(self.theme.as_str())] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) @if let Some(project) = &self.project { " · " (project.name) } " · Posthouse" }
                    link rel="icon" href=(path(&ASSETS.icon)) type="image/svg+xml";
                    link rel="stylesheet" href=(path(&ASSETS.style));
                    script src=(path(&ASSETS.script)) defer {}
                }
                body class=[self.project.is_none().then_some("wide")] {
                    a.skip href="#content" { "Skip to the content" }
                    (self.header())
                    @if let Some(project) = &self.project { (self.navigation(project)) }
                    main #content tabindex="-1" {
                        @if let Some(flash) = &self.flash { (show(flash)) }
                        (content)
                    }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/projects" { (mark()) span { "Posthouse" } }
                @if let Some(project) = &self.project { (switch(project)) }
                div.top-end {
                    (self.theme_switch())
                    @if let Some(person) = &self.person { (self.account(person)) }
                }
            }
        }
    }

    fn theme_switch(&self) -> Markup {
        html! {
            form.theme method="post" action="/theme" {
                @if !self.csrf.is_empty() { (form::token(self)) }
                input type="hidden" name="next" value=(self.here);
                label.visually-hidden for="theme" { "Colours" }
                select id="theme" name="theme" data-submit {
                    @for (theme, label) in [(Theme::System, "Auto"), (Theme::Light, "Light"), (Theme::Dark, "Dark")] {
                        option value=(theme.as_str()) selected[theme == self.theme] { (label) }
                    }
                }
                button.button.no-script type="submit" { "Apply" }
            }
        }
    }

    fn account(&self, person: &Person) -> Markup {
        html! {
            details.account {
                summary { span.account-name { (if person.name.trim().is_empty() { &person.email } else { &person.name }) } }
                div.account-body {
                    p.muted { (person.email) }
                    a.button href="/account" { "Account" }
                    @if self.runs_instance { a.button href="/admin/schedules" { "Administration" } }
                    (form::action(self, "/sign-out", "Sign out", "button"))
                    (form::action(self, "/sign-out-everywhere", "Sign out everywhere", "button"))
                }
            }
        }
    }

    fn navigation(&self, project: &ProjectFrame) -> Markup {
        html! {
            nav.side aria-label="Project" {
                ul {
                    // Who may only read the project does not read who changed it.
                    @for (place, rest, label, picture) in NAVIGATION.into_iter().filter(|(place, ..)| project.is_manager || *place != Place::AuditLog) {
                        li {
                            a href=(project.path(rest)) aria-current=[(place == self.place).then_some("page")] {
                                (icon(picture)) span { (label) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The way to the other projects of the organisation.
fn switch(project: &ProjectFrame) -> Markup {
    html! {
        details.switch {
            summary {
                span.switch-organisation { (project.organisation) }
                span.switch-project { (project.name) }
            }
            div.switch-body {
                ul {
                    @for (id, name) in &project.siblings {
                        li { a href=(Link::to(format!("/projects/{id}")).build()) aria-current=[(*id == project.id).then_some("true")] { (name) } }
                    }
                }
                a.all href="/projects" { (icon(Icon::Projects)) "All projects" }
            }
        }
    }
}

fn show(flash: &Flash) -> Markup {
    let (class, picture) = if flash.is_good { ("notice good", Icon::Check) } else { ("notice bad", Icon::Warning) };
    html! { p class=(class) role="status" { (icon(picture)) span { (flash.text) } } }
}

fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            rect width="32" height="32" rx="7" {}
            path d="M9 24V9h9a4.800 4.800 0 0 1 0 9.600h-5" {}
        }
    }
}
