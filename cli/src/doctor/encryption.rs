//! Whether what travels to a server can be read on the way.

use super::check::Check;

/// Judges a connection that is encrypted `by` something, or not. `remedy` is what to do where it should be.
pub fn judge(name: &'static str, by: Option<&str>, is_local: bool, remedy: &str) -> Check {
    match by {
        Some(by) => Check::ok(name, format!("connections are encrypted ({by})")),
        None if is_local => Check::ok(name, "connections are not encrypted, and stay on this machine"),
        None => Check::warning(name, "connections are not encrypted: events, keys and passwords can be read", remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict;

    #[test]
    fn only_what_leaves_the_machine_has_to_be_encrypted() {
        let verdict = |by, is_local| judge("x", by, is_local, "do").verdict;
        assert_eq!([verdict(Some("TLSv1.3"), false), verdict(None, true)], [Verdict::Ok, Verdict::Ok]);
        assert_eq!(verdict(None, false), Verdict::Warning);
    }
}
