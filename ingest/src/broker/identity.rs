//! Which message this is, so that one that its broker sends again becomes the event that it was.

use sha2::{Digest as _, Sha256};

/// What tells a message from every other one of its source, the same at every repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Stands for its name.
    pub name: [u8; 16],
    /// Whether its broker says that it never sent it before.
    pub is_first: bool,
}

impl Identity {
    /// By these parts, which one message has alone. It may have come before.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let hash = parts.iter().fold(Sha256::new(), |hash, part| {
            // Its length first, so that no two lists of parts look alike.
            hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
        });
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self { name, is_first: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_parts_are_another_name() {
        let one = Identity::of(&[b"orders", b"17"]);
        assert_eq!(one, Identity::of(&[b"orders", b"17"]));
        assert!(!one.is_first);
        for parts in [&[b"orders1".as_slice(), b"7"][..], &[b"orders17"], &[b"17", b"orders"]] {
            assert_ne!(one, Identity::of(parts));
        }
    }
}
