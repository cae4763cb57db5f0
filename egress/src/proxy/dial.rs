//! Connecting to one of several judged addresses. No name gets here, so nothing can be resolved a second time.

use std::net::SocketAddr;

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::rules::Code;

/// The first address that answers. Each gets its share of the time, so that a dead one does not use it all up.
pub(super) async fn dial(addresses: &[SocketAddr], end: Instant) -> Result<(TcpStream, SocketAddr), Code> {
    let mut code = Code::ConnectFailure;
    let mut waiting = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = end.saturating_duration_since(Instant::now()) / waiting;
        waiting = waiting.saturating_sub(1).max(1);
        code = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            // Small writes go out at once: a tunnel's bytes are somebody's latency.
            Ok(Ok(stream)) if stream.set_nodelay(true).is_ok() => return Ok((stream, *address)),
            Ok(_) => Code::ConnectFailure,
            Err(_) => Code::ConnectTimeout,
        };
    }
    Err(code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        let (_, address) = dial(&[dead, alive.local_addr().unwrap()], end).await.unwrap();
        assert_eq!(address, alive.local_addr().unwrap());
        assert_eq!(dial(&[dead], end).await.unwrap_err(), Code::ConnectFailure);
    }
}
