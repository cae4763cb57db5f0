//! What a process is called where several of its kind are told apart: on the list of schedules, and by the lease.

/// The host, the process, and digits that no other has: two of one host may start in the same second.
#[must_use]
pub fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "host",
        name => name,
    };
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}
