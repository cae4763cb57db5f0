//! Icons as inline SVG. They repeat what the text beside them says, and are hidden from screen readers.

use maud::{Markup, PreEscaped, html};

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// The first page of a project.
    Overview,
    /// Events.
    Event,
    /// Deliveries.
    Delivery,
    /// Endpoints.
    Endpoint,
    /// Subscriptions.
    Subscription,
    /// Sources.
    Source,
    /// A catalogue.
    Catalogue,
    /// A way for somebody else.
    Link,
    /// A log.
    Log,
    /// Something happened.
    Bell,
    /// Settings.
    Settings,
    /// Done well.
    Check,
    /// Failed.
    Cross,
    /// Waits.
    Clock,
    /// Goes on by itself.
    Retry,
    /// Left out.
    Skip,
    /// Stopped.
    Pause,
    /// Look here.
    Warning,
    /// A list of all projects.
    Projects,
    /// Go back.
    Back,
    /// Search.
    Search,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "M3 13h4v4H3zM8.500 8h4v9h-4zM14 3h4v14h-4z",
            Self::Event => "M10 2 4 11h5l-1 7 7-10h-5z",
            Self::Delivery => "M2 4.500 18 10 2 15.500 4.500 10zM4.500 10H18",
            Self::Endpoint => {
                "M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"
            }
            Self::Subscription => "M3 4h14l-5.500 6.500V16l-3 1.500v-7z",
            Self::Source => "M10 2v9M6.500 7.500 10 11l3.500-3.500M3 12v5h14v-5",
            Self::Catalogue => "M4 3h9l3 3v11H4zM7 8h6M7 11h6M7 14h4",
            Self::Link => {
                "M8.500 11.500a3 3 0 0 0 4.200 0l3-3a3 3 0 0 0-4.200-4.200l-1 1M11.500 8.500a3 3 0 0 0-4.200 0l-3 3a3 3 0 0 0 4.200 4.200l1-1"
            }
            Self::Log => "M4 5h.1M4 10h.1M4 15h.1M7.500 5H16M7.500 10H16M7.500 15H16",
            Self::Bell => "M10 3a5 5 0 0 0-5 5v4l-1.500 2.500h13L15 12V8a5 5 0 0 0-5-5zM8.500 17h3",
            Self::Settings => "M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4",
            Self::Check => "m4 10.500 4 4 8-9",
            Self::Cross => "m5 5 10 10M15 5 5 15",
            Self::Clock => "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4.500l3 2",
            Self::Retry => "M16 10a6 6 0 1 1-2-4.500M16 3v4h-4",
            Self::Skip => "M4 10h12",
            Self::Pause => "M7 4v12M13 4v12",
            Self::Warning => "M10 3 18 17H2zM10 8v4M10 14.500v.1",
            Self::Projects => "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
            Self::Back => "M12 4 6 10l6 6",
            Self::Search => "M9 3a6 6 0 1 0 0 12A6 6 0 0 0 9 3zM13.500 13.500 18 18",
        }
    }
}

/// The icon, as large as the text beside it.
#[must_use]
pub fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 20 20" aria-hidden="true" focusable="false" { path d=(PreEscaped(icon.path())) {} }
    }
}
