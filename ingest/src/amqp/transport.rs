//! Hands a connection of ours to the client library, whose own encryption would bring a second way to read certificates.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd},
    sync::Mutex,
    time::{Duration, Instant},
};

use async_compat::Compat;
use async_rs::{Runtime, Tokio, traits::Reactor, util::RuntimeParts};
use futures::Stream;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties, uri::AMQPUri};

use crate::broker::Wire;

type Socket = Compat<Box<dyn Wire>>;

/// Speaks AMQP over this connection.
pub(super) async fn connect(
    wire: Box<dyn Wire>,
    uri: AMQPUri,
    properties: ConnectionProperties,
) -> lapin::Result<Connection> {
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), Timers(Tokio::current())));
    // The library asks once, since it is not to connect again by itself.
    let wire = Mutex::new(Some(wire));
    let take = async move |_, _| {
        let wire = wire.lock().ok().and_then(|mut wire| wire.take());
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the connection was used up");
        Ok(AsyncTcpStream::Plain(Compat::new(wire.ok_or_else(gone)?)))
    };
    Connection::connector(uri, runtime, take, properties).await
}

/// Tokio's clock, and sockets that are connected elsewhere.
#[derive(Debug, Clone)]
struct Timers(Tokio);

impl Reactor for Timers {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Socket>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
