//! Signatures that others made, right and wrong, from a file that is no part of the product: what is right is what we sign
//! and what sources accept. `./just vectors FILE` runs it.

use std::{collections::BTreeMap, fs};

use posthouse_schema::project_config::{SignatureConfig, SignatureVersion};
use posthouse_worker::delivery::sign::{SignatureForm, signature};
use serde::Deserialize;
use serde_json::json;

use super::*;

/// Where we differ on purpose; each must be there, and must differ.
const DIFFERENT: [(&str, &str); 2] = [
    ("simple-spaces-signed-compact-lenient", "bytes are signed and verified as they are, never a compacted copy"),
    ("standard-short-secret", "a secret has any length, as the public libraries take it"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scheme {
    ConvoySimple,
    ConvoyAdvanced,
    Standard,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BodyMode {
    Compact,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    scheme: Scheme,
    valid: bool,
    body: String,
    /// How a lenient receiver reads the body.
    #[serde(rename = "body_mode")]
    _body_mode: Option<BodyMode>,
    now: Option<i64>,
    /// Every key must have signed; otherwise one is enough.
    #[serde(default)]
    all: bool,
    header: Option<String>,
    hash: Option<SignatureHash>,
    encoding: Option<SignatureEncoding>,
    versions: Option<Vec<(SignatureHash, SignatureEncoding, Vec<String>)>>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    public: Vec<String>,
    headers: Option<BTreeMap<String, String>>,
}

impl Vector {
    fn part<'a, T>(&self, part: Option<&'a T>) -> &'a T {
        part.unwrap_or_else(|| panic!("{} is not understood: a part is missing", self.name))
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.now.unwrap_or_default(), 0).unwrap()
    }

    /// Whether sources with these verifiers accept it.
    fn is_accepted(&self, verifiers: &[Verifier], headers: &HeaderMap) -> bool {
        let accepts = |verifier: &Verifier| verifier.accepts(headers, self.body.as_bytes(), self.now());
        if self.all { verifiers.iter().all(accepts) } else { verifiers.iter().any(accepts) }
    }

    /// Whether we agree: sign it where it is right, and where a source can verify it, accept what is right alone.
    fn is_as_expected(&self) -> bool {
        match self.scheme {
            Scheme::ConvoySimple => self.is_simple_as_expected(),
            Scheme::ConvoyAdvanced => self.is_advanced_as_expected(),
            Scheme::Standard => self.is_standard_as_expected(),
        }
    }

    fn is_simple_as_expected(&self) -> bool {
        let (header, hash, encoding) =
            (self.part(self.header.as_ref()), *self.part(self.hash.as_ref()), *self.part(self.encoding.as_ref()));
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let config = config(&[(hash, encoding)]);
        let signed = signature(&config, SignatureForm::Simple, &secrets, self.body.as_bytes(), self.now()).unwrap();
        let verifiers: Vec<_> = secrets
            .iter()
            .map(|secret| {
                let hmac = json!({"header": config.header, "hash": hash, "encoding": encoding, "secret": secret});
                Verifier::of("", Some(&json!({"type": "hmac", "hmac": hmac}))).unwrap()
            })
            .collect();
        let headers: HeaderMap =
            HeaderMap::from_iter([(header_name(&config.header).unwrap(), header.parse().unwrap())]);
        (signed == *header) == self.valid && self.is_accepted(&verifiers, &headers) == self.valid
    }

    /// Nothing of the product verifies this form: what is wrong is what we do not sign.
    fn is_advanced_as_expected(&self) -> bool {
        let (header, versions) = (self.part(self.header.as_ref()), self.part(self.versions.as_ref()));
        let secrets: Vec<&str> = versions.first().unwrap().2.iter().rev().map(String::as_str).collect();
        let config = config(&versions.iter().map(|(hash, encoding, _)| (*hash, *encoding)).collect::<Vec<_>>());
        let signed = |at| signature(&config, SignatureForm::Advanced, &secrets, self.body.as_bytes(), at).unwrap();
        if !self.valid {
            return signed(self.now()) != *header;
        }
        let time = header.split(',').find_map(|part| part.strip_prefix("t=")).unwrap().parse().unwrap();
        let signed = signed(DateTime::from_timestamp(time, 0).unwrap());
        let sorted = |header: &str| {
            let mut parts: Vec<_> = header.split(',').map(str::to_string).collect();
            parts.sort();
            parts
        };
        sorted(&signed) == sorted(header)
    }

    fn is_standard_as_expected(&self) -> bool {
        let headers: HeaderMap = self
            .part(self.headers.as_ref())
            .iter()
            .map(|(name, value)| (header_name(name).unwrap(), value.parse().unwrap()))
            .collect();
        let verifiers: Vec<_> = self
            .secrets
            .iter()
            .chain(&self.public)
            .map(|secret| json!({"type": "standard_webhooks", "standard_webhooks": {"secret": secret}}))
            .map(|stored| Verifier::of("", Some(&stored)).unwrap())
            .collect();
        self.is_accepted(&verifiers, &headers) == self.valid && (!self.valid || self.is_signed(&headers))
    }

    /// Whether the signatures of shared keys in it are ours.
    fn is_signed(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).unwrap().to_str().unwrap();
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let seconds = text("webhook-timestamp").parse().unwrap();
        let ours = posthouse_signature::signatures(&secrets, text("webhook-id"), seconds, self.body.as_bytes());
        let ours: Vec<_> = ours.iter().flat_map(|ours| ours.split(' ')).collect();
        text("webhook-signature").split(' ').filter(|one| one.starts_with("v1,")).all(|one| ours.contains(&one))
    }
}

fn config(versions: &[(SignatureHash, SignatureEncoding)]) -> SignatureConfig {
    let version = |(hash, encoding): &(SignatureHash, SignatureEncoding)| SignatureVersion {
        uid: String::new(),
        hash: *hash,
        encoding: *encoding,
        created_at: DateTime::UNIX_EPOCH,
    };
    SignatureConfig { versions: versions.iter().map(version).collect(), ..SignatureConfig::default() }
}

#[test]
#[ignore = "reads the file that SIGNATURE_VECTORS names; ./just vectors FILE"]
fn others_signatures_are_ours() {
    #[expect(clippy::disallowed_methods, reason = "a recipe says which file")]
    let path = std::env::var("SIGNATURE_VECTORS").expect("SIGNATURE_VECTORS names a file");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(!vectors.is_empty(), "{path} has no vectors");
    let unexpected: Vec<_> =
        vectors.iter().filter(|vector| !vector.is_as_expected()).map(|vector| vector.name.as_str()).collect();
    let different = DIFFERENT.map(|(name, _)| name);
    let surprising: Vec<_> = unexpected.iter().filter(|name| !different.contains(*name)).collect();
    assert!(surprising.is_empty(), "{path}: {surprising:?}");
    for (name, why) in DIFFERENT {
        assert!(unexpected.contains(&name), "{name} no longer differs, or is gone: {why}");
    }
    println!("{} signatures of {path} are as expected; {} differ on purpose.", vectors.len(), DIFFERENT.len());
}
