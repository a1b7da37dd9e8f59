//! Secrets: random ones, and the argon2 hashes by which keys and passwords are known again.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// Why no secret can be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No randomness, no secret.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// It could not be hashed.
    #[error("the secret cannot be hashed: {0}")]
    Hash(String),
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The argon2id hash of a secret, as a PHC string.
pub(crate) fn hash(secret: &str) -> Result<String, SecretError> {
    let hash = Argon2::default().hash_password(secret.as_bytes());
    Ok(hash.map_err(|error| SecretError::Hash(error.to_string()))?.to_string())
}

/// Whether that is the hash of this secret. Takes some 20 ms, by design.
pub(crate) fn is_of(hash: &str, secret: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}
