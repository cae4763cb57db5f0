//! A connection to a broker's port, encrypted or not.

use std::{io, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longest wait for the connection and its encryption together.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Bytes in both directions.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// Connects, and encrypts if there is a configuration for it.
///
/// # Errors
/// What failed, in words.
pub(crate) async fn connect(host: &str, port: u16, tls: Option<ClientConfig>) -> Result<Box<dyn Wire>, String> {
    let connected = timeout(CONNECT_MAX, open(host, port, tls));
    connected.await.unwrap_or_else(|_| Err("the broker did not answer in time".to_owned()))
}

async fn open(host: &str, port: u16, tls: Option<ClientConfig>) -> Result<Box<dyn Wire>, String> {
    let cannot = |error: io::Error| format!("the broker cannot be reached: {error}");
    let socket = TcpStream::connect((host, port)).await.map_err(cannot)?;
    socket.set_nodelay(true).map_err(cannot)?;
    let Some(tls) = tls else {
        return Ok(Box::new(socket));
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "the broker's name cannot be checked".to_owned())?;
    let encrypted = TlsConnector::from(Arc::new(tls)).connect(name, socket).await;
    Ok(Box::new(encrypted.map_err(|error| format!("the connection cannot be encrypted: {error}"))?))
}
