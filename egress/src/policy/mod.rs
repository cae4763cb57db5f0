//! Who may go where: rules that all clients share, and roles with rules of their own. A client has the role that its token
//! or its certificate names; where there are roles, a client without one may go nowhere.

mod file;
mod store;

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

pub use self::{
    file::PolicyError,
    store::{Base, PolicyStore},
};
use crate::rules::{Denial, Rules, Target};

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
}

impl Role {
    /// A role with these rules.
    #[must_use]
    pub fn new(name: impl Into<String>, rules: Rules, mode: Mode) -> Self {
        let enforced = (mode == Mode::Report).then(|| rules.without_own_denials());
        Self { name: name.into(), rules, enforced }
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
    /// SHA-256 of each token.
    tokens: Vec<[u8; 32]>,
    /// DNS names of certificates.
    certificates: Vec<String>,
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

    /// The role of a client that sends this `Proxy-Authorization` and whose certificate has these names; `None` if it may
    /// go nowhere. A token that is sent counts alone, and has to be right.
    #[must_use]
    pub fn role_of(&self, authorization: Option<&[u8]>, certificates: &[String]) -> Option<Arc<Role>> {
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
        found.map(|member| Arc::clone(&member.role))
    }

    /// The role of this name, or everybody's rules.
    #[must_use]
    pub fn role_named(&self, name: Option<&str>) -> Option<Arc<Role>> {
        let Some(name) = name else { return Some(Arc::clone(&self.common)) };
        self.members.iter().find(|member| member.role.name == name).map(|member| Arc::clone(&member.role))
    }
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
