//! An archive in a store that speaks S3: the `moto` that `just s3` puts into `.tools/s3`. It does not check signatures.

use std::{net::TcpListener, path::Path, process::Stdio, time::Duration};

use posthouse_archive::Store;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

use crate::restoring::comes_back;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/s3/bin/moto_server");
const START_MAX: Duration = Duration::from_secs(90);

/// The store, which ends with this, and its port.
async fn server() -> (Child, u16) {
    assert!(Path::new(PROGRAM).exists(), "{PROGRAM} is missing: `./just s3` installs it");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(PROGRAM)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let made = async {
        while !make_bucket(port).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(START_MAX, made).await.unwrap();
    (child, port)
}

/// Makes the bucket `archives`. `false`: the store does not answer yet.
async fn make_bucket(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let request = "PUT /archives HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = stream.write_all(request.as_bytes()).await;
    asked.is_ok() && stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn an_archive_in_an_s3_store_comes_back() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (_server, port) = server().await;
    let given = [
        ("endpoint", format!("http://127.0.0.1:{port}")),
        ("allow_http", "true".to_string()),
        ("access_key_id", "any".to_string()),
        ("secret_access_key", "any".to_string()),
        ("region", "us-east-1".to_string()),
    ];
    let root = Store::open_s3("s3://archives/of/tests", given).unwrap();
    comes_back(&root).await;
}
