//! Programs that a test starts and that end with it, and waiting for what must become true.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

/// Longest wait for something that normally takes well under a second.
pub const SOON: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn answers(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

/// A program of the system, also where distributions put daemons.
pub fn find(name: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test looks for programs where a shell would")]
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    folders
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: run the tests by `./just test`"))
}

/// Starts a program whose end is the test's end.
pub fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// Longest wait for the end of a program that was told to end, on a machine that is busy with other tests.
const ENDS: Duration = Duration::from_secs(90);

/// Sends SIGTERM and waits for the end.
pub async fn terminate(child: &mut Child) -> ExitStatus {
    tell_to_end(child);
    tokio::time::timeout(ENDS, child.wait()).await.expect("the program ends after SIGTERM").unwrap()
}

/// Sends SIGTERM, and SIGKILL after so long, as those do who run containers.
pub async fn terminate_within(child: &mut Child, grace: Duration) {
    tell_to_end(child);
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        child.kill().await.unwrap();
    }
}

fn tell_to_end(child: &Child) {
    let pid = i32::try_from(child.id().expect("the program runs")).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
}
