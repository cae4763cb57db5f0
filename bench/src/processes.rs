//! CPU time and memory of processes with all their descendants, from `/proc`.

use std::{collections::HashMap, fs, time::Duration};

const TICK: Duration = Duration::from_millis(10);
const PAGE_BYTES: u64 = 4_096;

/// One process as it was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: u32,
    /// Of its own, and of children that it has waited for.
    ticks: u64,
    resident_bytes: u64,
}

/// CPU time and resident memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Since the processes began.
    pub cpu: Duration,
    /// Now.
    pub resident_bytes: u64,
}

/// All processes of the machine at a moment.
pub struct Snapshot(HashMap<u32, Process>);

impl Snapshot {
    /// As they are now.
    pub fn take() -> Self {
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        Self(ids.filter_map(|id| Some((id, parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?))).collect())
    }

    /// What these processes and all that descend from them have used.
    pub fn usage(&self, roots: &[u32]) -> Usage {
        let mut usage = Usage::default();
        for (id, process) in &self.0 {
            if self.descends(*id, roots) {
                usage.cpu += TICK * u32::try_from(process.ticks).unwrap_or(u32::MAX);
                usage.resident_bytes += process.resident_bytes;
            }
        }
        usage
    }

    fn descends(&self, mut id: u32, roots: &[u32]) -> bool {
        // A bound, should the table change under our hands.
        for _ in 0..32 {
            if roots.contains(&id) {
                return true;
            }
            match self.0.get(&id) {
                Some(process) if process.parent > 1 => id = process.parent,
                _ => return false,
            }
        }
        false
    }
}

/// The role of a process of ours, such as `worker`, by its command line.
pub fn role(id: u32) -> Option<String> {
    let command = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
    let name = command.split('\0').find_map(|word| word.rsplit('/').next()?.strip_prefix("posthouse-"))?;
    Some(name.to_string())
}

fn parse(stat: &str) -> Option<Process> {
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        resident_bytes: number(21)? * PAGE_BYTES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "7 (a) b)) S 3 7 7 0 -1 4194560 1 0 0 0 10 20 3 4 20 0 1 0 100 1000 25 18446744073709551615";
        assert_eq!(parse(line), Some(Process { parent: 3, ticks: 37, resident_bytes: 25 * 4_096 }));
    }

    #[test]
    fn descendants_are_counted_with_their_root() {
        let process = |parent, ticks| Process { parent, ticks, resident_bytes: 10 };
        let all = Snapshot(HashMap::from([
            (1, process(0, 5)),
            (2, process(1, 1)),
            (3, process(2, 2)),
            (4, process(3, 4)),
            (9, process(1, 8)),
        ]));
        let usage = all.usage(&[2]);
        assert_eq!((usage.cpu, usage.resident_bytes), (TICK * 7, 30));
    }
}
