//! Several egress proxies: one that fails costs nothing, and projects leave by connections of their own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use hyper::header::HeaderMap;
use posthouse_egress::{
    Rules,
    client::ClientSettings,
    policy::{Base, PolicyStore},
    proxy::{ClientTls, Settings, TlsFiles, serve},
};
use posthouse_schema::{ids::ProjectId, words::DeliveryStatus};
use posthouse_service::metrics::Metrics;
use posthouse_worker::delivery::{
    redirect::Redirects,
    request::DeliveryRequest,
    send::{Sender, Sent, Way},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    mutual_tls::Authority,
    receiver::Receiver,
    world::{World, config, through, until},
};

struct Proxy {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Proxy {
    async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let settings = Settings { drain_timeout: Duration::from_secs(1), ..settings };
        let shutdown = stop.clone();
        let serving = tokio::spawn(async move { serve(listener, settings, &Metrics::new("egress"), shutdown).await });
        Self { address, stop, serving }
    }

    fn url(&self) -> url::Url {
        format!("http://{}", self.address).parse().unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// Lets connections out to this machine.
fn settings() -> Settings {
    Settings::new(Rules::with_allowed(vec!["127.0.0.1/32".parse().unwrap()]))
}

/// Passes connections on, and notes where they come from.
async fn front(behind: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, client)) = listener.accept().await {
            noted.lock().unwrap().push(client.ip().to_string());
            tokio::spawn(async move {
                let mut behind = TcpStream::connect(behind).await.unwrap();
                let _copied = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
            });
        }
    });
    (address, seen)
}

fn request(url: &str, project: ProjectId) -> DeliveryRequest {
    DeliveryRequest {
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        timeout: Duration::from_secs(20),
        identity: None,
        redirects: Redirects::Kept,
        project,
    }
}

#[tokio::test]
async fn proxies_that_fail_are_passed_over_and_cost_no_attempt() {
    let (receiver, authority) = (Receiver::start().await, Authority::new());
    let secure = authority.serve(None).await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let full = Proxy::start(Settings { tunnels_max: 0, ..settings() }).await;
    let well = Proxy::start(settings()).await;
    let urls = vec![format!("http://{nowhere}").parse().unwrap(), full.url(), well.url()];
    let world = World::start_trusting(config(), through(urls), authority.pem().as_bytes()).await;
    let plain = world.endpoint(&receiver.url(), |_, _| {}).await;
    let secure = world.endpoint(&format!("https://{secure}/"), |_, _| {}).await;
    // Whichever has the first turn.
    for endpoint in [plain, secure, plain, secure, plain, secure] {
        world.queues.push(&world.event(endpoint, "invoice.paid")).await.unwrap();
    }
    for delivery in world.ended(6, DeliveryStatus::Success).await {
        let attempts = world.attempts(&delivery).await;
        let [attempt] = &attempts[..] else { panic!("one attempt: {attempts:?}") };
        assert_eq!((delivery.attempt_count, attempt.ip_address.as_deref()), (1, Some("127.0.0.1")));
    }
    assert_eq!(receiver.received().len(), 3);
    world.stop().await;
    full.stop().await;
    well.stop().await;
}

#[tokio::test]
async fn what_a_proxy_refuses_no_other_one_is_asked_for() {
    let refusing = Proxy::start(Settings::new(Rules::default())).await;
    let well = Proxy::start(settings()).await;
    let receiver = Receiver::start().await;
    let sender = Sender::new(through(vec![refusing.url(), well.url()]), &[]).unwrap();
    let project = ProjectId::generate();
    // Turns: the first is refused, the second is not.
    let refused = Sent::Refused { code: "loopback".into() };
    assert_eq!(sender.send(&request(&receiver.url(), project)).await, refused);
    assert!(matches!(sender.send(&request(&receiver.url(), project)).await, Sent::Answered(_)));
    assert_eq!(receiver.received().len(), 1);
    refusing.stop().await;
    well.stop().await;
}

/// Files of a proxy in TLS, and rules by which each project leaves from an address of its own.
fn files(folder: &std::path::Path, authority: &Authority, projects: [ProjectId; 2]) -> Settings {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    for (file, name) in [("server", "localhost"), ("client", "worker.example")] {
        let (certificate, key) = authority.signs(name);
        write(&format!("{file}.pem"), certificate.pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
    write("authority.pem", authority.pem());
    let [first, second] = projects;
    let rules = "[roles.worker]\ncertificates = [\"worker.example\"]\nnames_projects = true\nallow = [\"127.0.0.1\"]\n";
    let projects =
        format!("[projects.{first}]\nsources = [\"127.0.0.21\"]\n[projects.{second}]\nsources = [\"127.0.0.22\"]\n");
    write("rules.toml", format!("{rules}{projects}"));
    let tls = ClientTls::read(TlsFiles {
        chain: folder.join("server.pem"),
        key: folder.join("server.key"),
        authorities: Some(folder.join("authority.pem")),
        revoked: None,
    });
    let policy = PolicyStore::read(Base::default(), Some(folder.join("rules.toml"))).unwrap();
    Settings { policy: Arc::new(policy), tls: Some(tls.unwrap()), ..settings() }
}

#[tokio::test]
async fn projects_share_no_connection_and_leave_from_their_own_addresses_through_tls() {
    let (receiver, authority) = (Receiver::start().await, Authority::new());
    let (secure, seen_secure) = front(authority.serve(None).await).await;
    let (plain, seen_plain) = front(receiver.address).await;
    let folder = tempfile::tempdir().unwrap();
    let projects = [ProjectId::generate(), ProjectId::generate()];
    let proxy = Proxy::start(files(folder.path(), &authority, projects)).await;
    let way = ClientSettings {
        egress_ca_file: Some(folder.path().join("authority.pem")),
        egress_client_cert: Some(folder.path().join("client.pem")),
        egress_client_key: Some(folder.path().join("client.key")),
        egress_projects: true,
        ..ClientSettings::at(vec![format!("https://localhost:{}", proxy.address.port()).parse().unwrap()])
    };
    let told = Sender::new(Way::Egress(Box::new(way.clone())), authority.pem().as_bytes()).unwrap();
    let [first, second] = projects;
    for project in [first, second, first, second] {
        for url in [format!("https://{secure}/"), format!("http://{plain}/")] {
            let mut request = request(&url, project);
            // What an event says of its project counts for nothing.
            request.headers.insert("x-egress-project", second.to_string().parse().unwrap());
            let sent = told.send(&request).await;
            assert!(matches!(&sent, Sent::Answered(answer) if answer.status == 200), "{url}: {sent:?}");
        }
    }
    let of = |seen: &Arc<Mutex<Vec<String>>>| seen.lock().unwrap().clone();
    assert_eq!(of(&seen_secure), ["127.0.0.21", "127.0.0.22"], "a connection for each, used twice");
    let plain_from = of(&seen_plain);
    let both: Vec<&str> = plain_from.iter().take(2).map(String::as_str).collect();
    assert_eq!(both, ["127.0.0.21", "127.0.0.22"], "{plain_from:?}");
    for received in receiver.received() {
        assert_eq!(received.header("x-egress-project"), None, "{}", received.head);
    }
    let silent = ClientSettings { egress_projects: false, ..way };
    let untold = Sender::new(Way::Egress(Box::new(silent)), authority.pem().as_bytes()).unwrap();
    for project in projects {
        untold.send(&request(&format!("https://{secure}/"), project)).await;
    }
    assert_eq!(of(&seen_secure).len(), 3, "who tells no project shares the connection");
    assert_eq!(of(&seen_secure).last().map(String::as_str), Some("127.0.0.1"));
    proxy.stop().await;
}

#[tokio::test]
async fn each_proxy_is_counted() {
    let well = Proxy::start(settings()).await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let way = ClientSettings {
        egress_check_interval: Duration::from_millis(50),
        ..ClientSettings::at(vec![well.url(), format!("http://{nowhere}").parse().unwrap()])
    };
    let sender = Sender::new(Way::Egress(Box::new(way)), &[]).unwrap();
    let metrics = Metrics::new("worker");
    sender.register(&metrics);
    let has = |line: String| metrics.encode().contains(&line);
    until("its health has shown", async || has(format!("posthouse_egress_instance_up{{proxy=\"{nowhere}\"}} 0"))).await;
    assert!(has(format!("posthouse_egress_instance_up{{proxy=\"{}\"}} 1", well.address)), "{}", metrics.encode());
    well.stop().await;
}
