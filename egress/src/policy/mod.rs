//! Who may go where: rules that all clients share, and roles and projects with rules of their own. A client has the role that
//! its token or its certificate names; where there are roles, a client without one may go nowhere. For which project it asks
//! is believed of a role that may say so.

mod file;
mod store;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

pub use self::{
    file::PolicyError,
    store::{Base, PolicyStore},
};
use crate::{
    rules::{Denial, Rules, Target},
    sources::Sources,
};

/// Longest name of a project.
const PROJECT_BYTES_MAX: usize = 64;

/// What rules of the configuration do where they refuse. What is built in is enforced in either mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They refuse.
    #[default]
    Enforce,
    /// They are only told of.
    Report,
}

/// A set of rules with a name.
#[derive(Debug)]
pub struct Role {
    name: String,
    rules: Rules,
    /// What is enforced where the rules only report.
    enforced: Option<Rules>,
    /// Where connections leave from, instead of from where all do.
    sources: Option<Arc<Sources>>,
}

impl Role {
    /// A role with these rules.
    #[must_use]
    pub fn new(name: impl Into<String>, rules: Rules, mode: Mode) -> Self {
        let enforced = (mode == Mode::Report).then(|| rules.without_own_denials());
        Self { name: name.into(), rules, enforced, sources: None }
    }

    /// The same role, whose connections leave from these addresses.
    #[must_use]
    pub fn leaving_from(self, sources: Option<Arc<Sources>>) -> Self {
        Self { sources, ..self }
    }

    /// The addresses that its connections leave from, where they are its own.
    #[must_use]
    pub const fn sources(&self) -> Option<&Arc<Sources>> {
        self.sources.as_ref()
    }

    /// The name, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`Rules::judge_target`]. What is only told of is handed back.
    ///
    /// # Errors
    /// The rule that refuses.
    pub fn judge_target(&self, target: &Target) -> Result<Option<Denial>, Denial> {
        self.judge(|rules| rules.judge_target(target)).map(|((), reported)| reported)
    }

    /// See [`Rules::judge_addresses`]. What is only told of is handed back.
    ///
    /// # Errors
    /// The rule that refuses.
    pub fn judge_addresses(&self, addresses: &[SocketAddr]) -> Result<(Vec<SocketAddr>, Option<Denial>), Denial> {
        self.judge(|rules| rules.judge_addresses(addresses))
    }

    /// See [`Rules::permission`].
    #[must_use]
    pub fn permission(&self, target: &Target, address: SocketAddr) -> String {
        self.rules.permission(target, address)
    }

    fn judge<T>(&self, judge: impl Fn(&Rules) -> Result<T, Denial>) -> Result<(T, Option<Denial>), Denial> {
        match &self.enforced {
            None => Ok((judge(&self.rules)?, None)),
            Some(enforced) => Ok((judge(enforced)?, judge(&self.rules).err())),
        }
    }
}

/// A role, and how a client proves that it has it.
#[derive(Debug)]
struct Member {
    role: Arc<Role>,
    /// The role with the rules of each project; `None` where it may not say for which it asks.
    projects: Option<HashMap<String, Arc<Role>>>,
    /// SHA-256 of each token.
    tokens: Vec<[u8; 32]>,
    /// DNS names of certificates.
    certificates: Vec<String>,
}

impl Member {
    /// A project that the file does not have is under the role's own rules.
    fn of_project(&self, project: Option<&str>) -> Option<&Arc<Role>> {
        let Some(project) = project else { return Some(&self.role) };
        self.projects.as_ref().map(|projects| projects.get(project).unwrap_or(&self.role))
    }
}

/// Everybody's rules and the roles.
#[derive(Debug)]
pub struct Policy {
    common: Arc<Role>,
    members: Vec<Member>,
}

impl Policy {
    /// One set of rules for every client.
    #[must_use]
    pub fn common(rules: Rules, mode: Mode) -> Self {
        Self { common: Arc::new(Role::new("default", rules, mode)), members: Vec::new() }
    }

    /// The role of a client that sends this `Proxy-Authorization`, whose certificate has these names, and that asks for this
    /// project; `None` if it may go nowhere. A token that is sent counts alone, and has to be right. Where there are no roles,
    /// the project changes nothing; where there are, it has to be a role's that may name it.
    #[must_use]
    pub fn role_of(
        &self,
        authorization: Option<&[u8]>,
        certificates: &[String],
        project: Option<&str>,
    ) -> Option<Arc<Role>> {
        if self.members.is_empty() {
            return Some(Arc::clone(&self.common));
        }
        let found = match authorization {
            Some(header) => {
                let sent = Sent::read(header)?;
                self.members.iter().find(|member| {
                    sent.role.as_ref().is_none_or(|role| *role == member.role.name)
                        && member.tokens.contains(&sent.digest)
                })
            }
            None => {
                self.members.iter().find(|member| certificates.iter().any(|name| member.certificates.contains(name)))
            }
        };
        found?.of_project(project).map(Arc::clone)
    }

    /// The role of this name that asks for this project, or everybody's rules.
    ///
    /// # Errors
    /// There is no such role, or it may not name projects; for people.
    pub fn role_named(&self, name: Option<&str>, project: Option<&str>) -> Result<Arc<Role>, &'static str> {
        let member = match name {
            Some(name) => self.members.iter().find(|member| member.role.name == name),
            None if project.is_some() => return Err("a project is named by a role that may do so"),
            None => return Ok(Arc::clone(&self.common)),
        };
        let member = member.ok_or("the file of rules has no such role")?;
        member.of_project(project).map(Arc::clone).ok_or("the role may not name projects")
    }

    fn check_sources(&self) -> Result<(), PolicyError> {
        let roles = self.members.iter().flat_map(|member| {
            let of_projects = member.projects.iter().flat_map(HashMap::values);
            [&member.role].into_iter().chain(of_projects)
        });
        let mut sources = roles.filter_map(|role| role.sources());
        sources.try_for_each(|sources| sources.check()).map_err(PolicyError::Source)
    }
}

/// Whether this can be the name of a project: what stands in logs is short and plain.
#[must_use]
pub fn is_project(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=PROJECT_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

/// A token as a client sends it: digests are compared, so that the time which that takes tells nothing of the token.
struct Sent {
    /// The user of Basic credentials.
    role: Option<String>,
    digest: [u8; 32],
}

impl Sent {
    fn read(header: &[u8]) -> Option<Self> {
        let (scheme, value) = std::str::from_utf8(header).ok()?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self { role: None, digest: Sha256::digest(value).into() });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
        let (role, token) = decoded.split_once(':')?;
        Some(Self { role: Some(role.into()), digest: Sha256::digest(token).into() })
    }
}

#[cfg(test)]
mod tests;
