//! Names that mean this machine, its network or its cloud, whatever they resolve to: RFC 6761, the aliases of hosts files,
//! and metadata services.

/// Denied themselves and with everything below them.
const SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "localdomain", "home.arpa"];
const EXACT: [&str; 10] = [
    "broadcasthost",
    "instance-data",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-localhost",
    "ip6-localnet",
    "ip6-loopback",
    "metadata",
    "metadata.goog",
    "metadata.tencentyun.com",
];

/// What denies the name, which is in lower case and without a trailing dot.
pub(super) fn denied_by(name: &str) -> Option<&'static str> {
    let is_below =
        |suffix: &&&str| name.strip_suffix(**suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    EXACT.iter().find(|exact| **exact == name).or_else(|| SUFFIXES.iter().find(is_below)).copied()
}
