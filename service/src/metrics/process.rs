//! What the process takes of its machine, as the kernel tells it at each scrape. What it does not tell, as on other systems
//! than Linux, is left out.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use tokio::runtime::Handle;

/// The unit of `/proc/self/stat`, which Linux fixes for all programs whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
const KIB: u64 = 1_024;

/// The use of CPU, memory, file handles, threads and tasks.
#[derive(Debug)]
pub(super) struct Usage {
    runtime: Option<Handle>,
}

/// What was read.
#[derive(Debug, Default, PartialEq)]
struct Read {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    threads: Option<u64>,
    open_handles: Option<u64>,
    handles_max: Option<u64>,
}

impl Usage {
    pub(super) fn new() -> Self {
        Self { runtime: Handle::try_current().ok() }
    }
}

impl Read {
    fn now() -> Self {
        let text = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let handles = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
        Self {
            // Without the one that counts them.
            open_handles: handles.ok().and_then(|count| u64::try_from(count.saturating_sub(1)).ok()),
            ..Self::of(&text("stat"), &text("status"), &text("limits"))
        }
    }

    fn of(stat: &str, status: &str, limits: &str) -> Self {
        // The second field is the program's name, which may hold anything; the third comes behind its last bracket.
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        let status: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
        let number = |name: &str| status.get(name)?.split_whitespace().next()?.parse::<u64>().ok();
        let bytes = |name: &str| number(name).map(|kib| kib.saturating_mul(KIB));
        let limit = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
        Self {
            cpu_seconds: ticks(14).zip(ticks(15)).map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            resident_bytes: bytes("VmRSS"),
            virtual_bytes: bytes("VmSize"),
            threads: number("Threads"),
            open_handles: None,
            handles_max: limit,
        }
    }
}

impl Collector for Usage {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let read = Read::now();
        if let Some(seconds) = read.cpu_seconds {
            write(&mut encoder, ("process_cpu_seconds", "CPU time of the process"), &ConstCounter::new(seconds))?;
        }
        let tasks = self.runtime.as_ref().and_then(|runtime| u64::try_from(runtime.metrics().num_alive_tasks()).ok());
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory in use", read.resident_bytes),
            ("process_virtual_memory_bytes", "Address space in use", read.virtual_bytes),
            ("process_threads", "Threads", read.threads),
            ("process_open_fds", "Open file handles", read.open_handles),
            ("process_max_fds", "File handles that may be open", read.handles_max),
            ("process_tasks", "Tasks of the runtime that have not ended", tasks),
        ] {
            if let Some(value) = value {
                write(&mut encoder, (name, help), &ConstGauge::new(value))?;
            }
        }
        Ok(())
    }
}

fn write(encoder: &mut DescriptorEncoder<'_>, (name, help): (&str, &str), metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_files_are_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 10 0 0 0 250 150 0 0 20 0 5 0 100 1000 200 18446744073709551615";
        let status = "Name:\ta) b\nVmSize:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t5\n";
        let limits = "Limit  Soft Limit Hard Limit Units\nMax open files            1024                 524288               files\n";
        let expected = Read {
            cpu_seconds: Some(4.0),
            resident_bytes: Some(1_048_576),
            virtual_bytes: Some(2_097_152),
            threads: Some(5),
            open_handles: None,
            handles_max: Some(1_024),
        };
        assert_eq!(Read::of(stat, status, limits), expected);
        assert_eq!(Read::of("", "", "Max open files unlimited unlimited files"), Read::default());
    }
}
