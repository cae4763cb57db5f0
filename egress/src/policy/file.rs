//! The file of rules, in TOML: lists that everybody shares, and a table for each role and each project.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Base, Member, Mode, Policy, Role, is_project};
use crate::{
    rules::{AddressRule, HostRule, Ports, Rules, Scope},
    sources::Sources,
};

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("the file of rules cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It holds something else than rules.
    #[error("the file of rules is refused: {0}")]
    Content(String),
    /// An address to leave from is not this machine's.
    #[error("the file of rules is refused: {0}")]
    Source(String),
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
    roles: BTreeMap<String, RoleTable>,
    projects: BTreeMap<String, Table>,
}

/// What a role or a project adds to the lists above it, and what it has instead of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    allow: Vec<Written<AddressRule>>,
    deny: Vec<Written<AddressRule>>,
    deny_hosts: Vec<Written<HostRule>>,
    allow_hosts: Option<Vec<Written<HostRule>>>,
    ports: Option<Written<Ports>>,
    report_only: Option<bool>,
    sources: Vec<IpAddr>,
}

/// A role, and how a client proves that it has it. The library cannot both flatten a table and refuse unknown names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RoleTable {
    allow: Vec<Written<AddressRule>>,
    deny: Vec<Written<AddressRule>>,
    deny_hosts: Vec<Written<HostRule>>,
    allow_hosts: Option<Vec<Written<HostRule>>>,
    ports: Option<Written<Ports>>,
    report_only: Option<bool>,
    sources: Vec<IpAddr>,
    tokens_sha256: Vec<Written<Digest>>,
    certificates: Vec<String>,
    names_projects: bool,
}

impl RoleTable {
    fn rules(&self) -> Table {
        let Self { allow, deny, deny_hosts, allow_hosts, ports, report_only, sources, .. } = self.clone();
        Table { allow, deny, deny_hosts, allow_hosts, ports, report_only, sources }
    }
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
        ports: file.ports.as_ref().map_or_else(|| base.ports.clone(), |ports| ports.0.clone()),
        is_report_only: base.is_report_only || file.report_only,
        sources: None,
    };
    let projects = projects(&file)?;
    let members = file.roles.iter().map(|(name, table)| member(&common, (name, table), projects));
    Ok(Policy { members: members.collect::<Result<_, _>>()?, ..common.policy() })
}

/// The projects, if a role can name them.
fn projects(file: &File) -> Result<&BTreeMap<String, Table>, PolicyError> {
    if let Some(name) = file.projects.keys().find(|name| !is_project(name)) {
        return Err(PolicyError::Content(format!("{name:?} cannot be the name of a project")));
    }
    if !file.projects.is_empty() && !file.roles.values().any(|role| role.names_projects) {
        let fault = "nobody can name the projects: no role has names_projects = true";
        return Err(PolicyError::Content(fault.into()));
    }
    Ok(&file.projects)
}

fn member(
    common: &Base,
    (name, table): (&str, &RoleTable),
    projects: &BTreeMap<String, Table>,
) -> Result<Member, PolicyError> {
    if table.tokens_sha256.is_empty() && table.certificates.is_empty() {
        let fault = format!("nobody can have the role {name}: it has neither tokens_sha256 nor certificates");
        return Err(PolicyError::Content(fault));
    }
    // Basic credentials end the user at the first colon.
    if name.is_empty() || name.contains(':') {
        return Err(PolicyError::Content(format!("{name:?} cannot be the name of a role")));
    }
    let own = common.with(&table.rules(), Scope::Role);
    let of_project = |project: &Table| Arc::new(own.with(project, Scope::Project).role(name));
    let projects =
        table.names_projects.then(|| projects.iter().map(|(id, project)| (id.clone(), of_project(project))).collect());
    Ok(Member {
        role: Arc::new(own.role(name)),
        projects,
        tokens: table.tokens_sha256.iter().map(|digest| digest.0.0).collect(),
        certificates: table.certificates.iter().map(|name| name.to_ascii_lowercase()).collect(),
    })
}

impl Base {
    /// These rules with what the table adds to them and has instead of them.
    fn with(&self, table: &Table, scope: Scope) -> Self {
        let addresses = |own: &[Written<AddressRule>]| plain(own).into_iter().map(|rule| rule.of(scope)).collect();
        let hosts = |own: &[Written<HostRule>]| plain(own).into_iter().map(|rule| rule.of(scope)).collect();
        let (allow, deny, deny_hosts): (Vec<_>, Vec<_>, Vec<_>) =
            (addresses(&table.allow), addresses(&table.deny), hosts(&table.deny_hosts));
        let sources = (!table.sources.is_empty()).then(|| Arc::new(Sources::new(&table.sources)));
        Self {
            allow: [self.allow.clone(), allow].concat(),
            deny: [self.deny.clone(), deny].concat(),
            allow_hosts: table.allow_hosts.as_deref().map_or_else(|| self.allow_hosts.clone(), hosts),
            deny_hosts: [self.deny_hosts.clone(), deny_hosts].concat(),
            ports: table.ports.as_ref().map_or_else(|| self.ports.clone(), |ports| ports.0.clone().of(scope)),
            is_report_only: table.report_only.unwrap_or(self.is_report_only),
            sources: sources.or_else(|| self.sources.clone()),
        }
    }

    fn role(&self, name: &str) -> Role {
        Role::new(name, self.rules(), self.mode()).leaving_from(self.sources.clone())
    }

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
