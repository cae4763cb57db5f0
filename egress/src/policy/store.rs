//! The policy in force. A file of rules is read again when it changes and on SIGHUP; one that cannot be used changes
//! nothing. Requests are judged by the policy of their moment, and open tunnels go on.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::{Mode, Policy, PolicyError, file};
use crate::{
    follow::follow,
    rules::{AddressRule, HostRule, Ports, Rules},
    sources::Sources,
};

/// The rules of the flags, to which those of the file are added.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Permissions.
    pub allow: Vec<AddressRule>,
    /// Denials.
    pub deny: Vec<AddressRule>,
    /// The only names that may be reached, if there are any.
    pub allow_hosts: Vec<HostRule>,
    /// Names that may not.
    pub deny_hosts: Vec<HostRule>,
    /// Ports that may be reached.
    pub ports: Ports,
    /// Whether these rules only report.
    pub is_report_only: bool,
    /// Addresses that connections leave from, where they are not those of all.
    pub sources: Option<Arc<Sources>>,
}

/// The policy in force, and where it comes from.
#[derive(Debug)]
pub struct PolicyStore {
    base: Base,
    file: Option<PathBuf>,
    /// What the file held when it was last read, good or bad.
    seen: Mutex<String>,
    current: RwLock<Arc<Policy>>,
}

impl PolicyStore {
    /// One set of rules for every client, for ever.
    #[must_use]
    pub fn fixed(rules: Rules) -> Self {
        let current = RwLock::new(Arc::new(Policy::common(rules, Mode::Enforce)));
        Self { base: Base::default(), file: None, seen: Mutex::default(), current }
    }

    /// The rules of the flags and of the file.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn read(base: Base, file: Option<PathBuf>) -> Result<Self, PolicyError> {
        let text = file.as_ref().map(std::fs::read_to_string).transpose()?;
        let policy = text.as_ref().map_or_else(|| Ok(base.policy()), |text| file::read(&base, text))?;
        let seen = Mutex::new(text.unwrap_or_default());
        Ok(Self { base, file, seen, current: RwLock::new(Arc::new(policy)) })
    }

    /// The policy of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the addresses that roles and projects have of their own are this machine's.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_sources(&self) -> Result<(), PolicyError> {
        self.current().check_sources()
    }

    /// Reads the file again, for ever, when it changes and on SIGHUP. `tell` hears whether it could be used.
    pub async fn follow(&self, tell: impl Fn(bool)) {
        follow("rules", |is_asked| self.reload(is_asked), tell).await;
    }

    /// Reads the file if it has changed, or if somebody asks; whether there is a new policy.
    async fn reload(&self, is_asked: bool) -> Result<bool, PolicyError> {
        let Some(path) = &self.file else { return Ok(false) };
        let text = tokio::fs::read_to_string(path).await;
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            // A file that is away for a moment, or for ever, is told of once.
            let now = text.as_ref().map_or_else(|error| format!("\0{error}"), Clone::clone);
            if *seen == now && !is_asked {
                return Ok(false);
            }
            *seen = now;
        }
        let policy = file::read(&self.base, &text?)?;
        policy.check_sources()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
        Ok(true)
    }
}
