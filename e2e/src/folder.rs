//! Where a run keeps its files: `.posthouse/` of the project, ignored by git. Data lies in a folder of the run's own,
//! removed at its end; logs stay for reading until the next run of the same name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, test_kill_process};

/// The folders of one run.
#[derive(Debug)]
pub struct RunFolder {
    data: PathBuf,
    logs: PathBuf,
}

impl RunFolder {
    /// Fresh folders for a run called `name` below `root`; what dead runs left behind is removed.
    ///
    /// # Errors
    /// The folders cannot be written.
    pub fn create(root: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("create {}", root.display()))?;
        let root = root.canonicalize().with_context(|| format!("resolve {}", root.display()))?;
        let all_data = root.join("data");
        remove_data_of_dead_runs(&all_data);
        let logs = root.join("logs").join(name);
        remove_if_there(&logs)?;
        fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
        let data = all_data.join(format!("{name}.{}", std::process::id()));
        remove_if_there(&data)?;
        fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
        Ok(Self { data, logs })
    }

    /// For data; removed with this value.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// For logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        drop(fs::remove_dir_all(&self.data));
    }
}

fn remove_if_there(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}

fn remove_data_of_dead_runs(all_data: &Path) {
    let Ok(entries) = fs::read_dir(all_data) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let pid = path.extension().and_then(|pid| pid.to_str()?.parse().ok()).and_then(Pid::from_raw);
        if pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
            drop(fs::remove_dir_all(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_and_logs_stay() {
        let root = tempfile::tempdir().unwrap();
        let dead = root.path().join("data/demo.999999999");
        fs::create_dir_all(&dead).unwrap();
        let run = RunFolder::create(root.path(), "demo").unwrap();
        assert!(!dead.exists());
        let (data, log) = (run.data().to_path_buf(), run.logs().join("api.log"));
        fs::write(&log, "started").unwrap();
        assert!(data.exists());
        drop(run);
        assert!(!data.exists() && log.exists());
    }
}
