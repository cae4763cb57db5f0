//! A project's colours in its portal: whatever is chosen, text stays readable on it (WCAG AA, a contrast of 4.5).

use std::fmt;

/// A colour of 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// The contrast between text and what is behind it.
const CONTRAST_MIN: f64 = 4.5;
const BLACK: Colour = Colour([0, 0, 0]);
const WHITE: Colour = Colour([255, 255, 255]);

/// What is behind text in our style sheet: surface, page, sunken.
const LIGHT: [Colour; 3] = [WHITE, Colour([0xf6, 0xf7, 0xf9]), Colour([0xf0, 0xf2, 0xf5])];
const DARK: [Colour; 3] = [Colour([0x17, 0x1c, 0x23]), Colour([0x0f, 0x13, 0x18]), Colour([0x11, 0x16, 0x1c])];

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Colour {
    /// Reads `#2a54cc`. `None` for everything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let channel = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Some(Self([channel(0)?, channel(2)?, channel(4)?])))?
    }

    /// Its luminance as WCAG defines it, from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// The contrast with another colour, from 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// So many hundredths of the way to another colour.
    fn towards(self, other: Self, hundredths: u32) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u32::from(from) * 100_u32.saturating_sub(hundredths) + u32::from(to) * hundredths.min(100);
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        let ([r1, g1, b1], [r2, g2, b2]) = (self.0, other.0);
        Self([mix(r1, r2), mix(g1, g2), mix(b1, b2)])
    }

    /// Black or white, whichever can be read on it: one of them always can.
    #[must_use]
    pub fn text(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// The colour itself where it can be read on all of these, or the nearest one on the way to `end` that can.
    fn readable_on(self, behind: &[Self], end: Self) -> Self {
        let is_readable = |colour: &Self| behind.iter().all(|behind| colour.contrast(*behind) >= CONTRAST_MIN);
        (0..=100).map(|step| self.towards(end, step)).find(is_readable).unwrap_or(end)
    }
}

/// Our own colours in a scheme, and where text that cannot be read is moved to.
struct Scheme {
    behind: [Colour; 3],
    end: Colour,
    text: Colour,
    accent: [Colour; 3],
}

const fn scheme_of(is_dark: bool) -> Scheme {
    if is_dark {
        let accent = [Colour([0x8f, 0xb2, 0xff]), Colour([0x0d, 0x13, 0x20]), Colour([0x1b, 0x29, 0x47])];
        Scheme { behind: DARK, end: WHITE, text: Colour([0xe5, 0xe9, 0xef]), accent }
    } else {
        let accent = [Colour([0x2a, 0x54, 0xcc]), WHITE, Colour([0xe8, 0xee, 0xfc])];
        Scheme { behind: LIGHT, end: BLACK, text: Colour([0x1a, 0x20, 0x29]), accent }
    }
}

/// What pages look like with chosen colours, in the light or in the dark scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shades {
    /// Behind cards.
    pub surface: Colour,
    /// Behind all.
    pub page: Colour,
    /// Of text.
    pub text: Colour,
    /// Of links and buttons.
    pub accent: Colour,
    /// On buttons.
    pub accent_text: Colour,
    /// Behind what is chosen.
    pub accent_soft: Colour,
    /// Behind the name at the top.
    pub header: Colour,
    /// The name.
    pub header_text: Colour,
}

/// The colours of a portal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Colours {
    /// Of links and buttons; ours where there is none.
    pub accent: Option<Colour>,
    /// Behind the name at the top.
    pub header: Option<Colour>,
}

/// Stands for a colour that is not chosen, in the name of a sheet.
const NONE: &str = "none";

impl Colours {
    /// The name under which [`Self::sheet`] is served; `None`: there is nothing to serve.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let word = |colour: Option<Colour>| {
            colour.map_or_else(|| NONE.to_string(), |colour| colour.to_string().trim_start_matches('#').to_string())
        };
        (*self != Self::default()).then(|| format!("{}-{}.css", word(self.accent), word(self.header)))
    }

    /// Reads such a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (accent, header) = name.strip_suffix(".css")?.split_once('-')?;
        let colour = |word: &str| if word == NONE { Some(None) } else { Colour::parse(&format!("#{word}")).map(Some) };
        Some(Self { accent: colour(accent)?, header: colour(header)? }).filter(|colours| *colours != Self::default())
    }

    /// What pages look like.
    #[must_use]
    pub fn shades(&self, is_dark: bool) -> Shades {
        let Scheme { behind, end, text, accent } = scheme_of(is_dark);
        let [surface, page, _] = behind;
        let [accent, accent_text, accent_soft] = self.accent.map_or(accent, |chosen| accents(chosen, behind, end));
        let (header, header_text) = self.header.map_or((surface, text), |header| (header, header.text()));
        Shades { surface, page, text, accent, accent_text, accent_soft, header, header_text }
    }

    /// A style sheet for after ours.
    #[must_use]
    pub fn sheet(&self) -> String {
        let mut sheet = String::new();
        if let Some(accent) = self.accent {
            let (light, dark) = (scheme(accent, LIGHT, BLACK), scheme(accent, DARK, WHITE));
            sheet.push_str(&format!(
                ":root {{ {light} }}\n:root[data-theme=\"dark\"] {{ {dark} }}\n\
                 @media (prefers-color-scheme: dark) {{ :root:not([data-theme=\"light\"]) {{ {dark} }} }}\n"
            ));
        }
        if let Some(header) = self.header {
            let text = header.text();
            sheet.push_str(&format!(
                ".portal .top {{ background: {header}; border-color: {header}; }}\n.portal .top, .portal .top a {{ color: {text}; }}\n\
                 .portal .top :focus-visible {{ outline-color: {text}; }}\n"
            ));
        }
        sheet
    }
}

/// The colour of links and buttons, that of the text on them, and that behind what is chosen.
fn accents(accent: Colour, [surface, page, sunken]: [Colour; 3], end: Colour) -> [Colour; 3] {
    let soft = accent.towards(surface, 86);
    let readable = accent.readable_on(&[surface, page, sunken, soft], end);
    [readable, readable.text(), soft]
}

fn scheme(accent: Colour, behind: [Colour; 3], end: Colour) -> String {
    let [readable, text, soft] = accents(accent, behind, end);
    format!("--accent: {readable}; --accent-text: {text}; --accent-soft: {soft};")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colour_is_six_digits() {
        let blue = Colour::parse("#2A54cc").unwrap();
        assert_eq!(blue.to_string(), "#2a54cc");
        for text in ["", "#", "2a54cc", "#2a54c", "#2a54ccc", "#2a54cg", "#+a54cc", "#2a54cc;", "red", "#ää"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.01);
        let colours = Colours { accent: Some(blue), header: None };
        assert_eq!(colours.name().as_deref(), Some("2a54cc-none.css"));
        assert_eq!(Colours::named("2a54cc-none.css"), Some(colours));
        for name in ["", "none-none.css", "2a54cc.css", "2a54cc-none", "}-none.css", "2a54cc-2a54cc-2a54cc.css"] {
            assert_eq!(Colours::named(name), None, "{name}");
        }
        assert_eq!(Colours::default().name(), None);
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        let colours = Colours { accent: Colour::parse("#2a54cc"), header: Colour::parse("#ffffff") };
        let sheet = colours.sheet();
        assert!(sheet.starts_with(":root { --accent: #2a54cc; --accent-text: #ffffff;"), "{sheet}");
        assert!(sheet.contains("background: #ffffff") && sheet.contains("color: #000000"), "{sheet}");
    }

    #[test]
    fn a_preview_has_the_colours_of_the_sheet_and_else_ours() {
        let chosen = Colours { accent: Colour::parse("#ffee00"), header: Colour::parse("#102030") };
        for is_dark in [false, true] {
            let Shades { accent, accent_text, accent_soft, header, header_text, .. } = chosen.shades(is_dark);
            let declared = format!("--accent: {accent}; --accent-text: {accent_text}; --accent-soft: {accent_soft};");
            assert!(chosen.sheet().contains(&declared), "{declared}");
            assert_eq!((header.to_string(), header_text), ("#102030".to_string(), WHITE));
        }
        let style = include_str!("../../assets/posthouse.css");
        for (is_dark, sheet) in [(false, style), (true, style.split_once("data-theme=\"dark\"").unwrap().1)] {
            let ours = Colours::default().shades(is_dark);
            for (name, colour) in [
                ("--surface", ours.surface),
                ("--page", ours.page),
                ("--text", ours.text),
                ("--accent", ours.accent),
                ("--accent-text", ours.accent_text),
                ("--accent-soft", ours.accent_soft),
            ] {
                assert_eq!(value(sheet, name), colour, "{name}");
            }
        }
    }

    /// The value of a variable in a part of a sheet.
    fn value(part: &str, name: &str) -> Colour {
        let rest = part.split_once(&format!("{name}: ")).unwrap().1;
        Colour::parse(rest.split(';').next().unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn text_can_be_read_whatever_is_chosen(red: u8, green: u8, blue: u8) {
            let chosen = Colour([red, green, blue]);
            prop_assert!(chosen.contrast(chosen.text()) >= CONTRAST_MIN);
            for (part, behind) in [(scheme(chosen, LIGHT, BLACK), LIGHT), (scheme(chosen, DARK, WHITE), DARK)] {
                let [accent, text, soft] = ["--accent", "--accent-text", "--accent-soft"].map(|name| value(&part, name));
                prop_assert!(accent.contrast(text) >= CONTRAST_MIN, "{part}");
                for behind in behind.into_iter().chain([soft]) {
                    prop_assert!(accent.contrast(behind) >= CONTRAST_MIN, "{part}");
                }
            }
        }
    }
}
