//! The file of rules, in TOML: lists that everybody shares, and a table for each role.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Base, Member, Mode, Policy, Role};
use crate::rules::{AddressRule, HostRule, Ports, Rules};

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("the file of rules cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It holds something else than rules.
    #[error("the file of rules is refused: {0}")]
    Content(String),
}

/// What is written as text.
#[derive(Debug, Clone)]
struct Written<T>(T);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// SHA-256 in hex.
#[derive(Debug, Clone)]
struct Digest([u8; 32]);

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| "a token's SHA-256 is written as 64 hexadecimal digits".into())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    allow: Vec<Written<AddressRule>>,
    deny: Vec<Written<AddressRule>>,
    allow_hosts: Vec<Written<HostRule>>,
    deny_hosts: Vec<Written<HostRule>>,
    ports: Option<Written<Ports>>,
    report_only: bool,
    roles: BTreeMap<String, Table>,
}

/// A role: what it adds to the lists of all, and what it has instead of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    allow: Vec<Written<AddressRule>>,
    deny: Vec<Written<AddressRule>>,
    deny_hosts: Vec<Written<HostRule>>,
    allow_hosts: Option<Vec<Written<HostRule>>>,
    ports: Option<Written<Ports>>,
    report_only: Option<bool>,
    tokens_sha256: Vec<Written<Digest>>,
    certificates: Vec<String>,
}

fn plain<T: Clone>(written: &[Written<T>]) -> Vec<T> {
    written.iter().map(|written| written.0.clone()).collect()
}

/// The policy of the flags and this text.
pub(super) fn read(base: &Base, text: &str) -> Result<Policy, PolicyError> {
    let file: File = toml::from_str(text).map_err(|error| PolicyError::Content(error.to_string()))?;
    let common = Base {
        allow: [base.allow.clone(), plain(&file.allow)].concat(),
        deny: [base.deny.clone(), plain(&file.deny)].concat(),
        allow_hosts: [base.allow_hosts.clone(), plain(&file.allow_hosts)].concat(),
        deny_hosts: [base.deny_hosts.clone(), plain(&file.deny_hosts)].concat(),
        ports: file.ports.map_or_else(|| base.ports.clone(), |ports| ports.0),
        is_report_only: base.is_report_only || file.report_only,
    };
    let members = file.roles.iter().map(|(name, table)| member(&common, name, table)).collect::<Result<_, _>>()?;
    Ok(Policy { members, ..common.policy() })
}

fn member(common: &Base, name: &str, table: &Table) -> Result<Member, PolicyError> {
    if table.tokens_sha256.is_empty() && table.certificates.is_empty() {
        let fault = format!("nobody can have the role {name}: it has neither tokens_sha256 nor certificates");
        return Err(PolicyError::Content(fault));
    }
    // Basic credentials end the user at the first colon.
    if name.is_empty() || name.contains(':') {
        return Err(PolicyError::Content(format!("{name:?} cannot be the name of a role")));
    }
    let own = Base {
        allow: [common.allow.clone(), plain(&table.allow)].concat(),
        deny: [common.deny.clone(), plain(&table.deny)].concat(),
        allow_hosts: table.allow_hosts.as_deref().map_or_else(|| common.allow_hosts.clone(), plain),
        deny_hosts: [common.deny_hosts.clone(), plain(&table.deny_hosts)].concat(),
        ports: table.ports.as_ref().map_or_else(|| common.ports.clone(), |ports| ports.0.clone()),
        is_report_only: table.report_only.unwrap_or(common.is_report_only),
    };
    Ok(Member {
        role: Arc::new(Role::new(name, own.rules(), own.mode())),
        tokens: table.tokens_sha256.iter().map(|digest| digest.0.0).collect(),
        certificates: table.certificates.iter().map(|name| name.to_ascii_lowercase()).collect(),
    })
}

impl Base {
    fn rules(&self) -> Rules {
        Rules::new(self.allow.clone(), self.deny.clone(), self.ports.clone())
            .with_hosts(self.allow_hosts.clone(), self.deny_hosts.clone())
    }

    const fn mode(&self) -> Mode {
        if self.is_report_only { Mode::Report } else { Mode::Enforce }
    }

    pub(super) fn policy(&self) -> Policy {
        Policy::common(self.rules(), self.mode())
    }
}
