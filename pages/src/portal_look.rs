//! How the portal of a project's customers looks, and who may frame it: the form, with its colours to be seen.

use maud::{Markup, html};

use crate::{
    field::{self, Field, Input},
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    portal::colour::{Colour, Colours, Shades},
    settings,
    settings_fields::Group,
    values::Values,
};

const NAME: &str = "config.portal.name";
const ACCENT: &str = "config.portal.accent_color";
const HEADER: &str = "config.portal.header_color";
const SCHEME: &str = "config.portal.color_scheme";
/// Who may frame it, one on a line.
pub const ANCESTORS: &str = "config.portal.frame_ancestors";

/// The fields of the form.
pub const FIELDS: [Field; 6] = [
    Field::text(NAME, "Name").hint("At the top of every page. Empty for the name of the project."),
    Field::text("config.portal.logo_url", "Logo")
        .hint("The address of a picture beside the name, http or https. Empty for the project's own."),
    Field::text(ACCENT, "Colour of links and buttons")
        .hint("Such as #2a54cc. It is made darker or lighter where text could not be read."),
    Field::text(HEADER, "Colour behind the name").hint("The text on it is black or white."),
    Field::new(
        SCHEME,
        "Light or dark",
        Input::Choice(&[("", "As the reader's system is"), ("light", "Light for all"), ("dark", "Dark for all")]),
    ),
    Field::new(ANCESTORS, "Who may show it in a frame", Input::List).hint(
        "One on a line, such as https://app.example.com or https://*.example.com; self for this address, none for nobody.",
    ),
];

const LOOK: Group = Group { title: "The portal", fields: &FIELDS, is_rare: false };

/// What the page holds.
#[derive(Debug, Clone, Default)]
pub struct PortalLook {
    /// What stands in the fields.
    pub values: Values,
    /// What was wrong with them.
    pub problem: Option<Problem>,
    /// Whether it is only looked at, and not saved.
    pub is_tried: bool,
    /// Who may frame the portals of projects that name nobody, as the instance says.
    pub instance_ancestors: Vec<String>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &PortalLook) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Portal", &html! {}) };
    let settings = project.path("/settings");
    let problem = view.problem.as_ref();
    frame.document("The portal's look", &html! {
        p.crumbs { a href=(settings) { (icon(Icon::Back)) "Settings" } }
        div.head { h1 { "The portal's look" } a.button href=(project.path("/portal-links")) { "Portal links" } }
        div.columns {
            @if project.is_manager {
                section.card {
                    (form::summary(problem))
                    form method="post" action={ (settings) "/portal" } {
                        (form::token(frame))
                        (field::all(&FIELDS, &view.values, problem))
                        p.muted { "Where nobody is named, the instance decides: " (decided(&view.instance_ancestors)) }
                        div.row {
                            button.button.primary type="submit" name="do" value="save" { "Save" }
                            button.button type="submit" name="do" value="try" { "Try the colours" }
                        }
                    }
                }
            } @else { (settings::facts(&view.values, &LOOK)) }
            section.card #preview {
                h2 { "Its colours" }
                @if view.is_tried { p.muted { "Nothing is saved yet." } }
                (preview(&view.values, &project.name))
            }
        }
    })
}

fn decided(ancestors: &[String]) -> String {
    let named: Vec<&str> = ancestors.iter().map(|source| source.trim_matches('\'')).collect();
    if named.is_empty() || named.contains(&"none") { "nobody may.".into() } else { format!("{}.", named.join(", ")) }
}

/// The top of a page and a part of it, in each scheme that readers see.
fn preview(values: &Values, project: &str) -> Markup {
    let colour = |name| Colour::parse(values.text(name).trim());
    let colours = Colours { accent: colour(ACCENT), header: colour(HEADER) };
    let name = Some(values.text(NAME).trim()).filter(|name| !name.is_empty()).unwrap_or(project);
    let schemes = [("light", "In the light scheme", false), ("dark", "In the dark scheme", true)];
    let chosen = values.text(SCHEME);
    let is_one = schemes.iter().any(|(word, ..)| *word == chosen);
    html! {
        @for (_, label, is_dark) in schemes.iter().filter(|(word, ..)| *word == chosen || !is_one) {
            (drawn(&colours.shades(*is_dark), name, label))
        }
    }
}

// What is drawn needs no style of its own, which the policy of our pages forbids.
fn drawn(shades: &Shades, name: &str, label: &str) -> Markup {
    let Shades { surface, page, text, accent, accent_text, accent_soft, header, header_text } = shades;
    html! {
        svg.look viewBox="0 0 400 150" role="img" aria-label=(label) {
            rect width="400" height="150" fill=(page) {}
            rect width="400" height="40" fill=(header) {}
            text x="16" y="25" font-size="15" font-weight="600" fill=(header_text) { (name) }
            rect x="16" y="54" width="368" height="80" rx="8" fill=(surface) {}
            text x="30" y="78" font-size="13" fill=(text) { "Endpoints" }
            text x="30" y="114" font-size="13" text-decoration="underline" fill=(accent) { "Payments" }
            rect x="104" y="98" width="66" height="24" rx="6" fill=(accent_soft) {}
            text x="137" y="114" font-size="12" text-anchor="middle" fill=(accent) { "Chosen" }
            rect x="262" y="94" width="108" height="32" rx="7" fill=(accent) {}
            text x="316" y="114" font-size="13" font-weight="600" text-anchor="middle" fill=(accent_text) { "New endpoint" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_that_readers_see_are_drawn() {
        for (chosen, number) in [("", 2), ("light", 1), ("dark", 1), ("pink", 2)] {
            let values = Values::default().with(SCHEME, chosen).with(ACCENT, "#FFEE00").with(HEADER, "red");
            let drawn = preview(&values, "Orders").into_string();
            assert_eq!((drawn.matches("<svg").count(), drawn.matches("Orders").count()), (number, number), "{chosen}");
            let is_dark = chosen == "dark";
            assert!(drawn.contains(
                &Colours { accent: Colour::parse("#ffee00"), header: None }.shades(is_dark).accent.to_string()
            ));
        }
        assert!(preview(&Values::default().with(NAME, "Acme"), "Orders").into_string().contains("Acme"));
    }

    #[test]
    fn the_instance_names_nobody_or_some() {
        assert_eq!(decided(&[]), "nobody may.");
        assert_eq!(decided(&["'none'".into()]), "nobody may.");
        assert_eq!(decided(&["'self'".into(), "https://app.example.com".into()]), "self, https://app.example.com.");
    }
}
