//! Standard Webhooks signatures (specification 1.0.0): `v1` by HMAC-SHA256 and `v1a` by Ed25519, over the message's id, the
//! time, and the exact bytes of the body. Without I/O; the time and the randomness come in.

mod key;
mod sign;
mod verify;

pub use crate::{
    key::{Key, KeyError, new_ed25519_secret},
    sign::signatures,
    verify::VerifyingKey,
};
