//! Programs that a test starts and that end with it, and waiting for what must become true.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

/// Longest wait for something that normally takes well under a second.
pub const SOON: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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

/// Sends SIGTERM and waits for the end.
pub async fn terminate(child: &mut Child) -> std::process::ExitStatus {
    let pid = i32::try_from(child.id().expect("the program runs")).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    tokio::time::timeout(SOON, child.wait()).await.expect("the program ends after SIGTERM").unwrap()
}
