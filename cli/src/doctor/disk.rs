//! How much room a data directory has, where it is on this machine and may be looked at.

use super::check::Check;

const WARNING_PERCENT: u64 = 20;
const FAILURE_PERCENT: u64 = 5;
const GIBIBYTE: u64 = 1 << 30;

/// Looks at the room around a server's data. `remedy` is what to do where it is short.
pub fn check(name: &'static str, is_local: bool, directory: Option<&str>, remedy: &str) -> Check {
    let Some(directory) = directory.filter(|directory| !directory.is_empty()) else {
        return Check::skipped(name, "the server does not tell where its data is");
    };
    if !is_local {
        return Check::skipped(name, "the server is on another machine");
    }
    match rustix::fs::statvfs(directory) {
        Ok(room) => judge(name, (directory, remedy), room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize),
        Err(error) => Check::skipped(name, format!("{directory} cannot be looked at: {error}")),
    }
}

fn judge(name: &'static str, (directory, remedy): (&str, &str), free: u64, total: u64) -> Check {
    let percent = free.saturating_mul(100).checked_div(total).unwrap_or(0);
    let detail = format!("{percent} % ({} GiB) free for {directory}", free / GIBIBYTE);
    if percent < FAILURE_PERCENT {
        Check::failed(name, detail, remedy)
    } else if percent < WARNING_PERCENT {
        Check::warning(name, detail, remedy)
    } else {
        Check::ok(name, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Verdict;

    #[test]
    fn room_is_judged_by_its_share() {
        let verdict = |free, total| judge("disk", ("/data", "give it room"), free, total).verdict;
        assert_eq!(
            [verdict(21, 100), verdict(19, 100), verdict(4, 100)],
            [Verdict::Ok, Verdict::Warning, Verdict::Failed]
        );
        assert_eq!(verdict(0, 0), Verdict::Failed);
    }

    #[test]
    fn only_what_is_ours_to_see_is_looked_at() {
        assert_eq!(check("disk", true, None, "").verdict, Verdict::Skipped);
        assert_eq!(check("disk", false, Some("/"), "").verdict, Verdict::Skipped);
        assert_eq!(check("disk", true, Some("/no/such/directory"), "").verdict, Verdict::Skipped);
        assert_ne!(check("disk", true, Some("/"), "").verdict, Verdict::Skipped);
    }
}
