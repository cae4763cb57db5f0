//! How the requests to an endpoint authenticate, beside their signatures: the choice of a way, and what it needs.

use maud::{Markup, html};

use crate::{
    badge::{Tone, badge},
    field::{self, Field, Input},
    form::{self, Problem},
    frame::Frame,
    icon::{Icon, icon},
    link::Link,
    values::Values,
};

/// A way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Its word in addresses.
    pub word: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// `authentication.type`.
    pub kind: &'static str,
    /// `authentication.oauth2.authentication_type`, of OAuth 2.
    pub proof: &'static str,
    /// What it needs.
    pub fields: &'static [Field],
}

const URL: Field = Field::text("authentication.oauth2.url", "Token URL").required().hint("Where a token is asked for.");
const CLIENT: Field = Field::text("authentication.oauth2.client_id", "Client id").required();
const SCOPE: Field = Field::text("authentication.oauth2.scope", "Scope");
const AUDIENCE: Field = Field::text("authentication.oauth2.audience", "Audience");
const UNIT: Field = Field::new(
    "authentication.oauth2.expiry_time_unit",
    "A token's life is told in",
    Input::Choice(&[("", "seconds"), ("milliseconds", "milliseconds"), ("minutes", "minutes"), ("hours", "hours")]),
);

/// Every way. The first is none.
pub const WAYS: [Way; 5] = [
    Way { word: "none", label: "Signatures alone", kind: "", proof: "", fields: &[] },
    Way {
        word: "api_key",
        label: "Key in a header",
        kind: "api_key",
        proof: "",
        fields: &[
            Field::text("authentication.api_key.header_name", "Header").required().hint("Such as X-Api-Key."),
            Field::new("authentication.api_key.header_value", "Value", Input::Secret).required(),
        ],
    },
    Way {
        word: "basic_auth",
        label: "Name and password",
        kind: "basic_auth",
        proof: "",
        fields: &[
            Field::text("authentication.basic_auth.username", "Name").required(),
            Field::new("authentication.basic_auth.password", "Password", Input::Secret).required(),
        ],
    },
    Way {
        word: "oauth2",
        label: "OAuth 2 with a client secret",
        kind: "oauth2",
        proof: "shared_secret",
        fields: &[
            URL,
            CLIENT,
            Field::new("authentication.oauth2.client_secret", "Client secret", Input::Secret).required(),
            SCOPE,
            AUDIENCE,
            UNIT,
        ],
    },
    Way {
        word: "oauth2_assertion",
        label: "OAuth 2 with a signed assertion",
        kind: "oauth2",
        proof: "client_assertion",
        fields: &[
            URL,
            CLIENT,
            Field::new("authentication.oauth2.signing_key", "Signing key", Input::SecretJson(5))
                .required()
                .hint("A private key as JSON (JWK)."),
            Field::new(
                "authentication.oauth2.signing_algorithm",
                "Algorithm",
                Input::Choice(&[
                    ("ES256", "ES256"),
                    ("ES384", "ES384"),
                    ("RS256", "RS256"),
                    ("RS384", "RS384"),
                    ("RS512", "RS512"),
                    ("PS256", "PS256"),
                    ("PS384", "PS384"),
                    ("PS512", "PS512"),
                ]),
            ),
            Field::text("authentication.oauth2.issuer", "Issuer").hint("The client id where it is empty."),
            Field::text("authentication.oauth2.subject", "Subject").hint("The client id where it is empty."),
            SCOPE,
            AUDIENCE,
            UNIT,
        ],
    },
];

impl Way {
    /// The way of this word.
    #[must_use]
    pub fn find(word: &str) -> Option<&'static Self> {
        WAYS.iter().find(|way| way.word == word)
    }

    /// The way of a stored authentication; none where it says nothing that is known.
    #[must_use]
    pub fn of(kind: &str, proof: &str) -> &'static Self {
        let [none, ..] = &WAYS;
        WAYS.iter().find(|way| way.kind == kind && way.proof == proof).unwrap_or(none)
    }

    /// Whether its settings can be tried by asking for a token.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        self.kind == "oauth2"
    }
}

/// What the form holds.
#[derive(Debug, Clone)]
pub struct AuthenticationForm {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its name.
    pub endpoint: String,
    /// The way that is filled in.
    pub way: &'static Way,
    /// What stands in its fields.
    pub values: Values,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// What came of asking for a token: what kind it is, or why there is none.
    pub tried: Option<Result<String, String>>,
}

/// The page.
#[must_use]
pub fn page(frame: &Frame, view: &AuthenticationForm) -> Markup {
    let Some(project) = &frame.project else { return frame.document("Authentication", &html! {}) };
    let own = project.path(&format!("/endpoints/{}", view.endpoint_id));
    let to = format!("{own}/authentication");
    let problem = view.problem.as_ref();
    frame.document("Authentication", &html! {
        p.crumbs { a href=(own) { (icon(Icon::Back)) (view.endpoint) } }
        div.head { h1 { "Authentication" } }
        p.muted { "Every request is signed. Receivers that ask for more get it by one of these ways." }
        nav.tabs.fit aria-label="Ways to authenticate" {
            @for way in &WAYS { a href=(Link::to(&to).with("way", way.word).build()) aria-current=[(way == view.way).then_some("page")] { (way.label) } }
        }
        @if let Some(tried) = &view.tried { (show(tried)) }
        section.card.narrow {
            h2 { (view.way.label) }
            (form::summary(problem))
            @if view.way.fields.is_empty() { p { "What the endpoint has now beside signatures is taken away." } }
            form method="post" action=(to) {
                (form::token(frame))
                input type="hidden" name="way" value=(view.way.word);
                (field::all(view.way.fields, &view.values, problem))
                div.row {
                    button.button.primary type="submit" name="do" value="save" { "Save" }
                    @if view.way.has_tokens() { button.button type="submit" name="do" value="try" { "Ask for a token" } }
                    a.button href=(own) { "Cancel" }
                }
            }
        }
    })
}

fn show(tried: &Result<String, String>) -> Markup {
    html! {
        section.card #tried {
            div.head {
                h2 { "Token" }
                @match tried {
                    Ok(_) => (badge(Tone::Good, Icon::Check, "A token was given")),
                    Err(_) => (badge(Tone::Bad, Icon::Cross, "No token")),
                }
            }
            @match tried {
                Ok(kind) => p { (kind) },
                Err(why) => p.attempt-error role="alert" { (why) },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_authentication_is_of_one_way() {
        for (kind, proof, expected) in [
            ("", "", "none"),
            ("api_key", "", "api_key"),
            ("oauth2", "shared_secret", "oauth2"),
            ("oauth2", "client_assertion", "oauth2_assertion"),
            ("locked", "", "none"),
        ] {
            assert_eq!(Way::of(kind, proof).word, expected);
            assert!(Way::find(expected).is_some());
        }
    }
}
