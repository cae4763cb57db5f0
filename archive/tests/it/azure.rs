//! An archive in Azure Blob Storage: the Azurite that `just azure` puts into `.tools/azure`. It checks signatures as Azure does.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use posthouse_archive::Store;
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

use crate::restoring::comes_back;

const PROGRAM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/azure/node_modules/azurite/dist/src/blob/main.js");
const START_MAX: Duration = Duration::from_secs(90);
const LISTENS: &str = "successfully listens on http://127.0.0.1:";
const ACCOUNT: &str = "posthouse";
const CONTAINER: &str = "archives";

/// A store of the test's own, on a port that it chose, which ends with this.
struct Azurite {
    _child: Child,
    /// What it goes on to say; somebody has to hold the other end.
    _said: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Azurite {
    async fn start(key: &[u8]) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: `./just azure` installs it");
        let mut child = Command::new("node")
            .args([PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"])
            .args(["--disableTelemetry", "--silent"])
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", STANDARD.encode(key)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let listens = async {
            loop {
                let line = said.next_line().await.unwrap().expect("Azurite ended before it listened");
                if let Some((_, port)) = line.split_once(LISTENS) {
                    return port.trim().parse().unwrap();
                }
            }
        };
        let port = tokio::time::timeout(START_MAX, listens).await.expect("Azurite listens");
        let azurite = Self { _child: child, _said: said, port };
        azurite.make_container(key).await;
        azurite
    }

    /// Makes the container as an operator would, signed by the account's key.
    async fn make_container(&self, key: &[u8]) {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let (version, resource) = ("2021-08-06", format!("/{ACCOUNT}/{CONTAINER}"));
        // The verb, eleven headers that are not sent, those of Azure's own, and what is asked for.
        let signed = format!(
            "PUT\n{}x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}{resource}\nrestype:container",
            "\n".repeat(11)
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(signed.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let request = format!(
            "PUT {resource}?restype=container HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nx-ms-date: {date}\r\nx-ms-version: {version}\r\n\
             Authorization: SharedKey {ACCOUNT}:{signature}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// The store, for who has this key.
    fn store(&self, key: &[u8]) -> Store {
        let options = [
            ("endpoint", format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)),
            ("allow_http", "true".to_string()),
            ("account_name", ACCOUNT.to_string()),
            ("access_key", STANDARD.encode(key)),
        ];
        Store::open_azure("az://archives/of/tests", options).unwrap()
    }
}

#[tokio::test]
async fn an_archive_in_azure_blob_storage_comes_back() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (key, wrong) = ([7; 32], [8; 32]);
    let azurite = Azurite::start(&key).await;
    let refused = azurite.store(&wrong).within("2026-01-01").manifest().await.unwrap_err();
    let text = format!("{refused} {refused:?}");
    assert!(text.contains("403") && !text.contains(&STANDARD.encode(wrong)), "{text}");
    comes_back(&azurite.store(&key)).await;
}
