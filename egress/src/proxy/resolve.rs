//! Names to addresses, once per request. Nothing is kept: whatever is judged is dialled at once.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Addresses a name may have; more are a sign of abuse and are not looked at.
const ADDRESSES_MAX: usize = 32;

/// Who answers for names.
#[derive(Debug, Clone)]
pub enum Resolver {
    /// The system's resolver.
    System,
    /// A fixed list, for tests of what a name server could answer.
    Fixed(FixedNames),
}

/// Names with one answer per question; the last one stays.
#[derive(Debug, Clone, Default)]
pub struct FixedNames(Arc<Mutex<HashMap<String, Vec<Vec<std::net::IpAddr>>>>>);

impl FixedNames {
    /// Lets `name` have these answers, one after the other.
    #[must_use]
    pub fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().filter_map(|address| address.parse().ok()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), answers.iter().map(parse).collect());
        self
    }

    fn next(&self, name: &str) -> Option<Vec<std::net::IpAddr>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = names.get_mut(name)?;
        if answers.len() > 1 { Some(answers.remove(0)) } else { answers.first().cloned() }
    }
}

impl Resolver {
    /// The name's addresses, with the port.
    ///
    /// # Errors
    /// The name has none, or nobody answers.
    pub async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            // The trailing dot keeps the system's search domains out: a name means the same everywhere.
            Self::System => {
                Ok(tokio::net::lookup_host((format!("{name}."), port)).await?.take(ADDRESSES_MAX).collect())
            }
            Self::Fixed(names) => {
                let addresses = names.next(name).ok_or(io::ErrorKind::NotFound)?;
                Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
            }
        }
    }
}
