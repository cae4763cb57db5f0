//! Several instances behind HAProxy, by the file that we ship: `deploy/haproxy/haproxy.cfg` with addresses of the test.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use crate::{
    binary::Running,
    world::{Origin, connect_to, reaches, read_all, read_head, until},
};

const CONFIG: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");
const PROGRAM: &str = "haproxy";

struct Balancer {
    child: Child,
    egress: SocketAddr,
    metrics: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Balancer {
    async fn start(instances: &[Running]) -> Self {
        let (egress, metrics) = (free().await, free().await);
        let mut config = CONFIG.replace("10.0.0.10:4750", &egress.to_string());
        config = config.replace("127.0.0.1:8404", &metrics.to_string());
        // A test may have few file handles.
        config = config.replace("maxconn 20000", "maxconn 200");
        for (at, instance) in instances.iter().enumerate() {
            let shipped = format!("10.0.0.1{}:4750 check port 4751", at + 1);
            assert!(config.contains(&shipped), "{config}");
            config = config.replace(&shipped, &format!("{} check port {}", instance.address, instance.probes.port()));
        }
        assert!(!config.contains("server egress-1 10.0.0."), "each address is one of the test: {config}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(find()).args(["-db", "-f"]).arg(file).stderr(Stdio::null()).spawn().unwrap();
        let balancer = Self { child, egress, metrics, _folder: folder };
        until("HAProxy listens", async || TcpStream::connect(egress).await.is_ok()).await;
        balancer
    }

    /// How many instances are in this state, as `UP`.
    async fn count(&self, state: &str) -> usize {
        let mut stream = TcpStream::connect(self.metrics).await.unwrap();
        stream.write_all(b"GET /metrics?scope=server HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let text = read_all(&mut stream).await;
        let is_one = |line: &&str| {
            line.starts_with("haproxy_server_status{proxy=\"egress\"")
                && line.contains(&format!("state=\"{state}\""))
                && line.ends_with(" 1")
        };
        text.lines().filter(is_one).count()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Debian puts it where an ordinary user's PATH does not look.
fn find() -> &'static str {
    let found = [PROGRAM, "/usr/sbin/haproxy"].into_iter().find(|program| {
        Command::new(program).arg("-v").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    found.expect("HAProxy is installed: `./just services` installs it (package haproxy)")
}

/// An address that was free a moment ago.
async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Tunnels through this instance.
async fn tunnels(instance: &Running) -> u32 {
    let mut stream = TcpStream::connect(instance.probes).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let text = read_all(&mut stream).await;
    let line = text.lines().find_map(|line| line.strip_prefix("posthouse_egress_decisions_total{code=\"allow\"} "));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn instances_share_the_tunnels_and_one_that_was_killed_is_taken_out() {
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/haproxy/haproxy.cfg").is_file());
    let origin = Origin::echo().await;
    let allow = format!("127.0.0.1/32:{}", origin.address.port());
    let start = || Running::start(&["--allow", &allow]);
    let mut instances = vec![start(), start(), start()];
    let balancer = Balancer::start(&instances).await;
    until("all are used", async || balancer.count("UP").await == 3).await;
    let target = origin.address.to_string();
    // Held open, so that the least used is another one each time.
    let mut open = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(balancer.egress).await.unwrap();
        stream.write_all(connect_to(&target).as_bytes()).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        open.push(stream);
    }
    for instance in &instances {
        assert_eq!(tunnels(instance).await, 2, "each has its share");
    }
    // Killed: before HAProxy knows, what does not connect goes to another instance.
    drop(instances.remove(1));
    for _ in 0..6 {
        assert!(reaches(balancer.egress, &target).await);
    }
    until("it is taken out", async || (balancer.count("UP").await, balancer.count("DOWN").await) == (2, 1)).await;
    let mut alive = 0;
    for mut stream in open {
        let _sent = stream.write_all(b"x").await;
        let _ended = stream.shutdown().await;
        alive += usize::from(read_all(&mut stream).await == "x");
    }
    assert_eq!(alive, 4, "tunnels of the others go on");
}
