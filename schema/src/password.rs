//! Passwords as they are stored: Argon2id with a random salt, in the PHC string format. Each call takes tens of
//! milliseconds of a core and 19 MiB: never on a runtime's thread, and only so many at once.

use argon2::{
    Argon2,
    password_hash::{Error, PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};

const SALT_BYTES: usize = 16;

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct PasswordError(String);

/// The hash of a password, with the algorithm's recommended cost: 19 MiB, two passes.
///
/// # Errors
/// The memory cannot be had.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let salt: [u8; SALT_BYTES] = rand::random();
    let made = SaltString::encode_b64(&salt)
        .and_then(|salt| Ok(Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string()));
    made.map_err(|error: Error| PasswordError(error.to_string()))
}

/// Whether this is the password that was hashed. What is no hash has no password.
#[must_use]
pub fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let stored = hash("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse", &stored));
        assert!(!verify("correct horsf", &stored) && !verify("", &stored));
        assert_ne!(hash("correct horse").unwrap(), stored, "each has a salt of its own");
        for broken in ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuu"] {
            assert!(!verify("", broken), "{broken}");
        }
    }
}
