//! Right and wrong proofs of every kind.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const BODY: &[u8] = br#"{"id": "e1"}"#;
const NOW: i64 = 1_754_000_000;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn accepts(verifier: &Verifier, pairs: &[(&str, &str)], body: &[u8]) -> bool {
    verifier.accepts(&headers(pairs), body, now())
}

fn verifier(provider: &str, stored: &Value) -> Verifier {
    Verifier::of(provider, Some(stored)).unwrap_or_else(|fault| panic!("{stored}: {fault}"))
}

fn mac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    mac::sign(SignatureHash::Sha256, secret.as_bytes(), parts)
}

#[test]
fn hmacs_are_read_in_every_hash_and_encoding() {
    for (hash, word) in [(SignatureHash::Sha256, "SHA256"), (SignatureHash::Sha512, "SHA512")] {
        let digest = mac::sign(hash, b"s", &[BODY]);
        for (encoding, text) in [("hex", hex::encode(&digest)), ("base64", STANDARD.encode(&digest))] {
            let stored =
                json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": word, "secret": "s", "encoding": encoding}});
            let verifier = verifier("", &stored);
            assert!(accepts(&verifier, &[("x-sig", &text)], BODY), "{word} {encoding}");
            assert!(!accepts(&verifier, &[("x-sig", &text)], b"{}"), "another body");
            let mut cut = text.clone();
            cut.truncate(text.len() / 2 / 4 * 4);
            for wrong in ["", "zz", "ab", "abababababababababababababababababababababababababababababababab", &cut] {
                assert!(!accepts(&verifier, &[("x-sig", wrong)], BODY), "{word} {encoding} {wrong}");
            }
            assert!(!accepts(&verifier, &[], BODY));
        }
    }
}

#[test]
fn providers_have_headers_and_prefixes_of_their_own() {
    let digest = mac("s", &[BODY]);
    let (hexed, based) = (hex::encode(&digest), STANDARD.encode(&digest));
    let stored = json!({"type": "hmac", "hmac": {"secret": "s", "header": "X-Ignored"}});
    for (provider, header, prefix, text) in [
        ("github", "x-hub-signature-256", "sha256=", &hexed),
        ("shopify", "x-shopify-hmac-sha256", "", &based),
        ("twitter", "x-twitter-webhooks-signature", "sha256=", &based),
    ] {
        let verifier = verifier(provider, &stored);
        assert!(accepts(&verifier, &[(header, &format!("{prefix}{text}"))], BODY), "{provider}");
        assert!(!accepts(&verifier, &[("x-ignored", &format!("{prefix}{text}"))], BODY), "{provider}");
        let unprefixed = if prefix.is_empty() { format!("sha256={text}") } else { text.clone() };
        assert!(!accepts(&verifier, &[(header, &unprefixed)], BODY), "{provider}");
    }
    assert!(Verifier::of("github", Some(&json!({"type": "noop"}))).is_err(), "a provider needs a secret");
}

#[test]
fn credentials_are_compared_whole() {
    let basic = verifier("", &json!({"type": "basic_auth", "basic_auth": {"username": "user", "password": "pa:ss"}}));
    let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert!(accepts(&basic, &[("authorization", &header("user:pa:ss"))], BODY));
    assert!(accepts(&basic, &[("authorization", &header("user:pa:ss").replace("Basic", "bAsIc"))], BODY));
    for wrong in
        ["Basic", "Basic ", "Basic !", &header("user:pa:s"), &header("user"), &header("").replace("Basic", "Bearer")]
    {
        assert!(!accepts(&basic, &[("authorization", wrong)], BODY), "{wrong}");
    }
    let named = verifier("", &json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "v"}}));
    assert!(accepts(&named, &[("x-key", "v")], BODY));
    assert!(!accepts(&named, &[("x-key", "vv")], BODY) && !accepts(&named, &[], BODY));
    let unnamed = verifier("", &json!({"type": "api_key", "api_key": {"header_name": "", "header_value": "v"}}));
    assert!(accepts(&unnamed, &[("authorization", "Anything v")], BODY));
    assert!(!accepts(&unnamed, &[("authorization", "v")], BODY));
    let secret_headers = [&basic, &named, &unnamed].map(|verifier| verifier.secret_header().unwrap().as_str());
    assert_eq!(secret_headers, ["authorization", "x-key", "authorization"]);
}

#[test]
fn stripe_and_slack_sign_the_time_as_well() {
    let stripe = verifier("", &json!({"type": "stripe", "stripe": {"secret": "whsec_s"}}));
    let stripe_header = |seconds: &str| {
        let digest = hex::encode(mac("whsec_s", &[seconds.as_bytes(), b".", BODY]));
        format!("t={seconds},v1=00,v1={digest},v0=ignored")
    };
    let slack = verifier("", &json!({"type": "slack", "slack": {"secret": "s"}}));
    let slack_header =
        |seconds: &str| format!("v0={}", hex::encode(mac("s", &[b"v0:", seconds.as_bytes(), b":", BODY])));
    for (offset, is_accepted) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        let seconds = (NOW + offset).to_string();
        assert_eq!(accepts(&stripe, &[("stripe-signature", &stripe_header(&seconds))], BODY), is_accepted, "{offset}");
        let pair = [("x-slack-request-timestamp", seconds.as_str()), ("x-slack-signature", &slack_header(&seconds))];
        assert_eq!(accepts(&slack, &pair, BODY), is_accepted, "{offset}");
    }
    let seconds = NOW.to_string();
    assert!(!accepts(&stripe, &[("stripe-signature", &stripe_header(&seconds))], b"{}"));
    assert!(!accepts(&stripe, &[("stripe-signature", &stripe_header(&format!("+{seconds}")))], BODY));
    assert!(!accepts(&slack, &[("x-slack-signature", &slack_header(&seconds))], BODY), "the time is missing");
    let other_time = (NOW + 1).to_string();
    let pair = [("x-slack-request-timestamp", other_time.as_str()), ("x-slack-signature", &slack_header(&seconds))];
    assert!(!accepts(&slack, &pair, BODY), "another time");
}

#[test]
fn standard_webhooks_are_verified_under_both_families_of_names() {
    // Signed by the public library.
    let body = br#"{"event":"invoice.paid","amount":2500,"currency":"EUR"}"#;
    let secret = "whsec_g233A1aMYAMMtDtoT0N9WNtwgb/xo2QWh1dWrTs71Zw=";
    let signature = "v1,AAAA v1a,AAAA v1,NIAnEKvKcoOqwZ3aieZ4FU+2JpEGaXvAqtwJeL4nhH8=";
    let verifier = verifier("", &json!({"type": "standard_webhooks", "standard_webhooks": {"secret": secret}}));
    for family in ["webhook", "svix"] {
        let names = ["id", "timestamp", "signature"].map(|name| format!("{family}-{name}"));
        let [id, timestamp, signed] = names.each_ref().map(String::as_str);
        let good = [(id, "msg_kitsmall"), (timestamp, "1754000000"), (signed, signature)];
        assert!(accepts(&verifier, &good, body), "{family}");
        assert!(!accepts(&verifier, &good, BODY), "another body");
        assert!(!accepts(&verifier, &[(id, "msg_other"), good[1], good[2]], body), "another id");
        assert!(!accepts(&verifier, &good[..2], body), "no signature");
    }
    // An Ed25519 key verifies `v1a`, and no other version.
    let public = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
    let public = self::verifier("", &json!({"type": "standard_webhooks", "standard_webhooks": {"secret": public}}));
    let signed = "X0kUDct+VuSvdz/S+poNH+B49dZplErTWjhMQMCVa417i1VV/LclojEZxRo/Z6dlQ83z+YbFsMtPacmdecmSDA==";
    for (signature, is_good) in
        [(format!("v1,AAAA v1a,{signed}"), true), (format!("v1,{signed}"), false), (signature.to_string(), false)]
    {
        let pairs = [
            ("webhook-id", "msg_kitemptyobject"),
            ("webhook-timestamp", "1754000000"),
            ("webhook-signature", &signature),
        ];
        assert_eq!(accepts(&public, &pairs, b"{}"), is_good, "{signature}");
    }
    let late = DateTime::from_timestamp(NOW + 301, 0).unwrap();
    let good = [("webhook-id", "msg_kitsmall"), ("webhook-timestamp", "1754000000"), ("webhook-signature", signature)];
    assert!(!verifier.accepts(&headers(&good), body, late));
    let broken = json!({"type": "standard_webhooks", "standard_webhooks": {"secret": "whsec_!"}});
    assert_eq!(Verifier::of("", Some(&broken)).err(), Some(VerifierFault::Secret));
}

#[test]
fn a_challenge_is_answered_as_twitter_reads_it() {
    let twitter = verifier("twitter", &json!({"type": "hmac", "hmac": {"secret": "s"}}));
    let expected = format!("sha256={}", STANDARD.encode(mac("s", &[b"token"])));
    assert_eq!(twitter.answer_challenge("token"), Some(expected));
    assert_eq!(verifier("", &json!({"type": "noop"})).answer_challenge("token"), None);
}

#[test]
fn what_is_stored_wrongly_accepts_nothing() {
    assert!(matches!(Verifier::of("", None), Ok(Verifier::Noop)));
    for stored in [
        json!({"type": "psychic"}),
        json!({"type": "hmac"}),
        json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": "MD4", "secret": "s", "encoding": "hex"}}),
        json!({"type": "hmac", "hmac": {"header": "a b", "hash": "SHA256", "secret": "s", "encoding": "hex"}}),
        json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": "SHA256", "secret": "", "encoding": "hex"}}),
        json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": ""}}),
        json!({"type": "api_key", "api_key": {"header_name": "X", "header_value": ""}}),
        json!({"type": "stripe"}),
        json!({"type": "slack", "slack": {"secret": 7}}),
        json!({"type": "standard_webhooks", "standard_webhooks": {"secret": "whsec_"}}),
    ] {
        assert!(Verifier::of("", Some(&stored)).is_err(), "{stored}");
    }
}

fn every_verifier() -> Vec<Verifier> {
    let hmac = |hash, encoding| json!({"type": "hmac", "hmac": {"header": "h0", "hash": hash, "secret": "s", "encoding": encoding}});
    let mut all: Vec<Verifier> =
        ["github", "shopify", "twitter"].map(|name| verifier(name, &hmac("SHA256", "hex"))).into();
    all.extend(
        [
            hmac("SHA512", "base64"),
            json!({"type": "basic_auth", "basic_auth": {"username": "u", "password": "p"}}),
            json!({"type": "api_key", "api_key": {"header_name": "", "header_value": "a secret value"}}),
            json!({"type": "stripe", "stripe": {"secret": "s"}}),
            json!({"type": "slack", "slack": {"secret": "s"}}),
            json!({"type": "standard_webhooks", "standard_webhooks": {"secret": "c2VjcmV0"}}),
        ]
        .iter()
        .map(|stored| verifier("", stored)),
    );
    all
}

proptest! {
    /// Nothing that was not made with the secret is accepted, however odd.
    #[test]
    fn no_headers_are_too_odd(
        values in prop::collection::vec(prop_oneof!["\\PC{0,40}", "(t=|v0=|v1,|sha256=|Basic )?[0-9a-f,= ]{0,70}", Just(NOW.to_string())], 6),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let names = ["h0", "authorization", "stripe-signature", "x-slack-signature", "x-slack-request-timestamp", "x-hub-signature-256",
            "x-shopify-hmac-sha256", "x-twitter-webhooks-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];
        let mut headers = HeaderMap::new();
        for (at, name) in names.iter().enumerate() {
            if let Ok(value) = salvo::http::HeaderValue::from_str(&values[at % values.len()]) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        for verifier in every_verifier() {
            prop_assert!(!verifier.accepts(&headers, &body, now()));
        }
    }

    #[test]
    fn no_stored_verifier_is_too_odd(kind in "(hmac|basic_auth|api_key|stripe|slack|standard_webhooks|\\PC{0,8})", text in "\\PC{0,20}") {
        let stored = json!({"type": kind, &kind: {"secret": text, "header": text, "hash": text, "username": text, "header_name": text}});
        for provider in ["", "github", text.as_str()] {
            prop_assert!(Verifier::of(provider, Some(&stored)).is_ok() || Verifier::of(provider, Some(&stored)).is_err());
        }
    }
}
