//! A connection to a broker's port, encrypted or not, and what there is to say where it fails.

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{CertificateError, ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{Problem, Step};

/// Longest wait for the connection and its encryption together.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for each part of that, so that it is known which one lasted too long.
const PART_MAX: Duration = Duration::from_secs(5);

/// Bytes in both directions.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// Where a broker listens, and how it is spoken to before its protocol begins.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Names or addresses with their ports; one that answers is enough.
    pub addresses: Vec<(String, u16)>,
    /// How it is encrypted, if it is.
    pub tls: Option<ClientConfig>,
    /// Whether it says a line before the encryption begins.
    pub greets: bool,
}

impl Reach {
    /// Connects and encrypts, and leaves again.
    ///
    /// # Errors
    /// What is wrong with the first address, where all fail.
    pub async fn check(&self) -> Result<(), Problem> {
        let mut first = None;
        for (host, port) in &self.addresses {
            match open(host, *port, self.tls.clone(), self.greets).await {
                Ok(_) => return Ok(()),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        Err(first.unwrap_or_else(|| Problem::at(Step::Settings, "no address is given")))
    }
}

/// Connects, and encrypts if there is a configuration for it.
///
/// # Errors
/// What failed, in words.
pub(crate) async fn connect(host: &str, port: u16, tls: Option<ClientConfig>) -> Result<Box<dyn Wire>, String> {
    let connected = timeout(CONNECT_MAX, open(host, port, tls, false));
    let connected = connected.await.unwrap_or_else(|_| Err(Problem::at(Step::Connect, "it did not answer in time")));
    connected.map_err(|problem| match problem.step {
        Step::Encrypt => format!("the connection cannot be encrypted: {problem}"),
        _ => format!("the broker cannot be reached: {problem}"),
    })
}

async fn open(host: &str, port: u16, tls: Option<ClientConfig>, greets: bool) -> Result<Box<dyn Wire>, Problem> {
    let addresses =
        part(lookup_host((host, port)), Step::Resolve, || format!("the name {host} could not be looked up"));
    let addresses: Vec<SocketAddr> = addresses.await?.collect();
    let socket = part(TcpStream::connect(addresses.as_slice()), Step::Connect, || format!("{host}:{port}")).await?;
    socket.set_nodelay(true).map_err(|error| Problem::at(Step::Connect, error.to_string()))?;
    let Some(tls) = tls else {
        return Ok(Box::new(socket));
    };
    let mut socket = BufReader::new(socket);
    if greets {
        let mut line = String::new();
        part(socket.read_line(&mut line), Step::Encrypt, || "the greeting".to_owned()).await?;
    }
    let unusable = |_| Problem::at(Step::Encrypt, format!("{host} is no name that a certificate could have"));
    let name = ServerName::try_from(host.to_owned()).map_err(unusable)?;
    match timeout(PART_MAX, TlsConnector::from(Arc::new(tls)).connect(name, socket)).await {
        Ok(Ok(encrypted)) => Ok(Box::new(encrypted)),
        Ok(Err(error)) => Err(Problem::at(Step::Encrypt, tls_words(&error, host))),
        Err(_) => Err(Problem::at(Step::Encrypt, "the broker did not answer in time; it may not encrypt at this port")),
    }
}

async fn part<T>(
    asked: impl Future<Output = io::Result<T>>,
    step: Step,
    what: impl FnOnce() -> String,
) -> Result<T, Problem> {
    match timeout(PART_MAX, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Problem::at(step, format!("{}: {}", what(), io_words(&error)))),
        Err(_) => Err(Problem::at(step, format!("{}: no answer in time", what()))),
    }
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nobody listens at this port".to_owned(),
        _ => error.to_string(),
    }
}

/// What went wrong while the connection was being encrypted.
fn tls_words(error: &io::Error, host: &str) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|error| error as _);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return rustls_words(error, host);
        }
        cause = error.source();
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the broker ended the connection; it may not encrypt at this port".to_owned()
        }
        _ => error.to_string(),
    }
}

fn rustls_words(error: &rustls::Error, host: &str) -> String {
    use CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "the broker's certificate has expired".to_owned()
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the broker's certificate is not valid yet".to_owned()
            }
            // Another authority of the same name is none that is trusted either.
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "the broker's certificate is of an authority that is not trusted; ca_certificate can name it".to_owned()
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                format!("the broker's certificate is not for the name {host}")
            }
            Certificate::Revoked => "the broker's certificate is revoked".to_owned(),
            _ => format!("the broker's certificate is not valid: {error}"),
        },
        rustls::Error::InvalidMessage(_) => "the broker does not encrypt at this port".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("the broker refuses the encryption: {alert:?}"),
        rustls::Error::PeerIncompatible(_) => "the broker knows no way to encrypt that is safe".to_owned(),
        _ => error.to_string(),
    }
}
