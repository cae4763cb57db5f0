//! How long a disk takes to keep what it is given: an event is durable no sooner than that, whatever a gateway does.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::latency::{Percentiles, micros};

/// What PostgreSQL writes at once.
const PAGE: [u8; 8_192] = [0x50; 8_192];
/// Often enough for percentiles, and too seldom to be a load.
const PAUSE: Duration = Duration::from_millis(50);

/// Writes pages into a file in a folder until it is asked how long that took.
pub struct Disk {
    stop: CancellationToken,
    writing: JoinHandle<Result<Vec<u32>>>,
}

impl Disk {
    /// Begins.
    pub fn watch(folder: &Path) -> Self {
        let (stop, path) = (CancellationToken::new(), folder.join("disk.pages"));
        let stopped = stop.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let written = write(&path, &stopped);
            std::fs::remove_file(&path).context("remove the pages")?;
            written
        });
        Self { stop, writing }
    }

    /// Ends, with how long it took a page to be on the disk.
    pub async fn percentiles(self) -> Result<Percentiles> {
        self.stop.cancel();
        Ok(Percentiles::of(self.writing.await.context("the writer ended")??))
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own, which waits for the disk anyway")]
fn write(path: &Path, stop: &CancellationToken) -> Result<Vec<u32>> {
    let mut file = File::create(path).context("make a file for pages")?;
    let mut took = Vec::new();
    while !stop.is_cancelled() {
        let began = Instant::now();
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&PAGE)).context("write a page")?;
        file.sync_data().context("wait for the disk")?;
        took.push(micros(began.elapsed()));
        std::thread::sleep(PAUSE);
    }
    Ok(took)
}
