//! Signatures that others published, good and with one thing changed, for every way in which a request can prove itself.

use chrono::DateTime;
use serde_json::json;

use super::*;

/// Test case 2 of RFC 4231, in base64 where a provider writes it so.
const KEY: &str = "Jefe";
const DATA: &str = "what do ya want for nothing?";
const SHA256: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
const SHA256_BASE64: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
const SHA512: &str = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";

struct Published {
    /// Where it stands.
    source: &'static str,
    provider: &'static str,
    verifier: Value,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
    /// Whether the body is signed.
    signs_body: bool,
    at: i64,
}

impl Published {
    fn new(source: &'static str, verifier: Value, headers: &[(&'static str, &str)], body: &'static str) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { source, provider: "", verifier, headers, body, signs_body: true, at: 0 }
    }

    fn is_accepted(&self, headers: &[(&'static str, String)], body: &str, at: i64) -> bool {
        let verifier = Verifier::of(self.provider, Some(&self.verifier)).unwrap();
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        verifier.accepts(&headers, body.as_bytes(), DateTime::from_timestamp(at, 0).unwrap())
    }
}

fn hmac(hash: &str, encoding: &str) -> Value {
    json!({"type": "hmac", "hmac": {"header": "X-Sig", "hash": hash, "encoding": encoding, "secret": KEY}})
}

fn of_bodies_and_credentials() -> Vec<Published> {
    let of_provider = |secret: &str| json!({"type": "hmac", "hmac": {"secret": secret}});
    vec![
        Published::new("RFC 4231, 4.3", hmac("SHA256", "hex"), &[("x-sig", SHA256)], DATA),
        Published::new("RFC 4231, 4.3", hmac("SHA256", "base64"), &[("x-sig", SHA256_BASE64)], DATA),
        Published::new("RFC 4231, 4.3", hmac("SHA512", "hex"), &[("x-sig", SHA512)], DATA),
        Published {
            signs_body: false,
            ..Published::new(
                "RFC 7617, 2",
                json!({"type": "basic_auth", "basic_auth": {"username": "Aladdin", "password": "open sesame"}}),
                &[("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")],
                "",
            )
        },
        Published {
            signs_body: false,
            ..Published::new(
                "RFC 6750, 2.1",
                json!({"type": "api_key", "api_key": {"header_name": "", "header_value": "mF_9.B5f-4.1JqM"}}),
                &[("authorization", "Bearer mF_9.B5f-4.1JqM")],
                "",
            )
        },
        Published {
            provider: "github",
            ..Published::new(
                "docs.github.com, Validating webhook deliveries: Testing the webhook payload validation",
                of_provider("It's a Secret to Everybody"),
                &[("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")],
                "Hello, World!",
            )
        },
        // Neither has an example with its secret; both write HMACs of the body in base64.
        Published {
            provider: "shopify",
            ..Published::new("RFC 4231, 4.3", of_provider(KEY), &[("x-shopify-hmac-sha256", SHA256_BASE64)], DATA)
        },
        Published {
            provider: "twitter",
            ..Published::new(
                "RFC 4231, 4.3",
                of_provider(KEY),
                &[("x-twitter-webhooks-signature", "sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=")],
                DATA,
            )
        },
    ]
}

fn of_times() -> Vec<Published> {
    vec![
        Published {
            at: 1_731_705_121,
            ..Published::new(
                "docs.svix.com, How to verify webhooks manually",
                json!({"type": "standard_webhooks", "standard_webhooks": {"secret": "whsec_plJ3nmyCDGBKInavdOK15jsl"}}),
                &[
                    ("svix-id", "msg_loFOjxBNrRLzqYUf"),
                    ("svix-timestamp", "1731705121"),
                    ("svix-signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
                ],
                r#"{"event_type":"ping","data":{"success":true}}"#,
            )
        },
        Published {
            at: 1_614_265_330,
            ..Published::new(
                "github.com/standard-webhooks/standard-webhooks, the test of signing in each library",
                json!({"type": "standard_webhooks",
                    "standard_webhooks": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}),
                &[
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                    ("webhook-timestamp", "1614265330"),
                    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
                ],
                r#"{"test": 2432232314}"#,
            )
        },
        Published {
            at: 1_531_420_618,
            ..Published::new(
                "api.slack.com, Verifying requests from Slack",
                json!({"type": "slack", "slack": {"secret": "8f742231b10e8888abcd99yyyzzz85a5"}}),
                &[
                    ("x-slack-request-timestamp", "1531420618"),
                    ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
                ],
                "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
            )
        },
        Published {
            at: 1_754_000_000,
            ..Published::new(
                "docs.stripe.com describes it without an example; this one was made by `openssl dgst -sha256 -hmac`",
                json!({"type": "stripe", "stripe": {"secret": "whsec_test_secret"}}),
                &[(
                    "stripe-signature",
                    "t=1754000000,v1=0f09e3f614ff209e2e2b3184d38ac313156fb9e22eed77b66761962d3ad16837",
                )],
                r#"{"id": "evt_1", "object": "event", "type": "invoice.paid"}"#,
            )
        },
    ]
}

#[test]
fn what_others_published_is_accepted_and_nothing_near_it() {
    for case in of_bodies_and_credentials().into_iter().chain(of_times()) {
        assert!(case.is_accepted(&case.headers, case.body, case.at), "{}", case.source);
        let other_body = format!("{} ", case.body);
        assert_eq!(case.is_accepted(&case.headers, &other_body, case.at), !case.signs_body, "{}", case.source);
        for (at, (name, value)) in case.headers.iter().enumerate() {
            // One character of each header, near its end: the last one may stand for fewer bits than it has.
            let place = value.len() - 4;
            let other = if value.as_bytes()[place] == b'1' { "2" } else { "1" };
            let mut headers = case.headers.clone();
            headers[at].1.replace_range(place..=place, other);
            assert!(!case.is_accepted(&headers, case.body, case.at), "{}: {name}", case.source);
            headers.remove(at);
            assert!(!case.is_accepted(&headers, case.body, case.at), "{}: without {name}", case.source);
        }
        if case.at > 0 {
            assert!(!case.is_accepted(&case.headers, case.body, case.at + 301), "{}: too old", case.source);
        }
    }
}

#[test]
fn twitter_s_challenge_is_an_hmac_of_the_token() {
    let twitter = Verifier::of("twitter", Some(&json!({"type": "hmac", "hmac": {"secret": KEY}}))).unwrap();
    assert_eq!(twitter.answer_challenge(DATA), Some(format!("sha256={SHA256_BASE64}")));
}
