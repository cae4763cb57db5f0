//! Connecting to one of several judged addresses. No name gets here, so nothing can be resolved a second time. Addresses of
//! both families take turns, and the next one is tried when one does not answer soon (RFC 8305): a dead address costs a
//! fraction of a second, and whichever answers first is used.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};

use crate::{rules::Code, sources::Sources};

/// How long an attempt is alone.
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection to the first of these addresses that answers.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    end: Instant,
    sources: &Sources,
) -> Result<(TcpStream, SocketAddr), Code> {
    let mut waiting = in_turns(addresses.iter().copied().filter(|address| sources.reach(*address)));
    let connect = |address: SocketAddr| async move { (sources.connect(address).await, address) };
    let mut attempts = FuturesUnordered::new();
    attempts.extend(waiting.pop_front().map(connect));
    let mut over = std::pin::pin!(sleep_until(end));
    let mut next = std::pin::pin!(sleep_until(Instant::now() + HEAD_START));
    while !attempts.is_empty() {
        tokio::select! {
            biased;
            Some(attempt) = attempts.next() => match attempt {
                (Ok(stream), address) => return Ok((stream, address)),
                (Err(_), _) => attempts.extend(waiting.pop_front().map(connect)),
            },
            () = &mut over => return Err(Code::ConnectTimeout),
            () = &mut next, if !waiting.is_empty() => attempts.extend(waiting.pop_front().map(connect)),
        }
        next.as_mut().reset(Instant::now() + HEAD_START);
    }
    Err(Code::ConnectFailure)
}

/// The first one's family first, then one of each.
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses = addresses.peekable();
    let is_v4_first = addresses.peek().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses.partition(|address| address.is_ipv4() == is_v4_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    std::iter::from_fn(|| Some([first.next(), second.next()]).filter(|pair| pair.iter().any(Option::is_some)))
        .flatten()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    async fn dial_any(addresses: &[SocketAddr], patience: Duration) -> Result<SocketAddr, Code> {
        dial(addresses, Instant::now() + patience, &Sources::default()).await.map(|(_, address)| address)
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let patience = Duration::from_secs(5);
        assert_eq!(
            dial_any(&[dead, alive.local_addr().unwrap()], patience).await,
            alive.local_addr().map_err(|_| Code::ConnectFailure)
        );
        assert_eq!(dial_any(&[dead], patience).await, Err(Code::ConnectFailure));
        assert_eq!(dial_any(&[], patience).await, Err(Code::ConnectFailure));
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_costs_a_head_start() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let dead = full.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(dead)).await {
            held.push(stream.unwrap());
        }
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let found = dial_any(&[dead, alive.local_addr().unwrap()], Duration::from_secs(20)).await;
        assert_eq!(found, Ok(alive.local_addr().unwrap()));
        assert_eq!(dial_any(&[dead], Duration::from_millis(300)).await, Err(Code::ConnectTimeout));
    }

    #[test]
    fn families_take_turns() {
        let order = |texts: &[&str]| {
            in_turns(texts.iter().map(|text| text.parse::<SocketAddr>().unwrap()))
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["1.1.1.1:1", "2.2.2.2:1"]), ["1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(order(&[]), Vec::<String>::new());
    }
}
