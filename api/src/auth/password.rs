//! Checking passwords: on threads that may block, only so many at once, and as long for an address that nobody has as for
//! a wrong password.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use posthouse_schema::password;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Longest wait for a turn. A flood of sign-ins is told to come back, and takes no more than its share of the machine.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Hashes at once, 19 MiB each.
const AT_ONCE_MAX: usize = 4;

/// Takes turns at hashing.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    wait_max: Duration,
    nobody: Arc<OnceLock<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(cores.min(AT_ONCE_MAX))), wait_max: WAIT_MAX, nobody: Arc::default() }
    }
}

impl Passwords {
    /// The hash under which a password is stored.
    ///
    /// # Errors
    /// 503 when no turn comes within 5 s.
    pub async fn hash(&self, password: SecretString) -> Result<String, ApiError> {
        let hashed = self.in_turn(move || password::hash(password.expose_secret())).await?;
        hashed.map_err(|error| ApiError::Internal(error.into()))
    }

    /// Whether the password is the one that was stored. Where none is stored it takes as long to say no.
    ///
    /// # Errors
    /// 503 when no turn comes within 5 s.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, ApiError> {
        let nobody = Arc::clone(&self.nobody);
        self.in_turn(move || {
            // Made at the first check of any kind, so that it does not tell which kind that was.
            let nobody = nobody.get_or_init(|| password::hash("nobody").unwrap_or_default());
            let is_stored = stored.is_some();
            password::verify(password.expose_secret(), stored.as_ref().unwrap_or(nobody)) && is_stored
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = || ApiError::Unavailable {
            what: "signing in",
            cause: anyhow::anyhow!("too many passwords are being checked at once"),
        };
        let turn = tokio::time::timeout(self.wait_max, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let made = work();
            // A caller who gave up does not free the turn before the work is done.
            drop(turn);
            made
        });
        done.await.map_err(|error| ApiError::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_s_password_is_never_right() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(passwords.verify("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("wrong".into(), Some(stored)).await.unwrap());
        assert!(!passwords.verify("nobody".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn who_gets_no_turn_is_told_so() {
        let none = Arc::new(Semaphore::new(0));
        let passwords = Passwords { turns: none, wait_max: Duration::from_millis(10), nobody: Arc::default() };
        let refused = passwords.verify("x".into(), None).await.unwrap_err();
        assert!(matches!(refused, ApiError::Unavailable { .. }), "{refused}");
    }
}
