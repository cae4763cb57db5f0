//! The addresses that connections leave from, so that receivers can list them. Those of each family take turns. Where there
//! are any, no connection leaves from another one: what has no source in its family is not dialled.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::net::{TcpSocket, TcpStream};

/// Source addresses; none for whichever the system chooses.
#[derive(Debug, Default)]
pub struct Sources {
    v4: Turns,
    v6: Turns,
}

#[derive(Debug, Default)]
struct Turns {
    addresses: Vec<IpAddr>,
    next: AtomicUsize,
}

impl Sources {
    /// These addresses of this machine.
    #[must_use]
    pub fn new(addresses: &[IpAddr]) -> Self {
        let (v4, v6) = addresses.iter().partition(|address| address.is_ipv4());
        let turns = |addresses| Turns { addresses, next: AtomicUsize::new(0) };
        Self { v4: turns(v4), v6: turns(v6) }
    }

    /// Whether the system chooses.
    pub(crate) const fn is_any(&self) -> bool {
        self.v4.addresses.is_empty() && self.v6.addresses.is_empty()
    }

    /// Whether connections to this address may be made.
    pub(crate) fn reach(&self, address: SocketAddr) -> bool {
        self.is_any() || !self.of(address).addresses.is_empty()
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.of(address).next() {
            // Ports of other connections from the same source may be used again for another destination.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        // Small writes go out at once: a tunnel's bytes are somebody's latency.
        socket.set_nodelay(true)?;
        socket.connect(address).await
    }

    const fn of(&self, address: SocketAddr) -> &Turns {
        if address.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    /// Binds to each once.
    ///
    /// # Errors
    /// The first that is not this machine's.
    pub fn check(&self) -> Result<(), String> {
        let all = self.v4.addresses.iter().chain(&self.v6.addresses);
        all.into_iter().try_for_each(|source| {
            let bound = std::net::UdpSocket::bind(SocketAddr::new(*source, 0));
            bound.map(drop).map_err(|error| format!("the source address {source} cannot be used: {error}"))
        })
    }
}

impl Turns {
    fn next(&self) -> Option<IpAddr> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.addresses.len())?;
        self.addresses.get(turn).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_take_turns_in_their_family() {
        let sources = Sources::new(&["10.0.0.1", "2001:db8::1", "10.0.0.2"].map(|address| address.parse().unwrap()));
        let to = |address: &str| sources.of(address.parse().unwrap()).next().unwrap().to_string();
        assert_eq!([to("1.1.1.1:1"), to("1.1.1.1:1"), to("1.1.1.1:1")], ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
        assert_eq!([to("[::1]:1"), to("[::1]:1")], ["2001:db8::1", "2001:db8::1"]);
        let v4 = Sources::new(&["10.0.0.1".parse().unwrap()]);
        assert!(v4.reach("1.1.1.1:1".parse().unwrap()) && !v4.reach("[::1]:1".parse().unwrap()));
        assert!(Sources::default().reach("[::1]:1".parse().unwrap()));
        assert!(v4.check().is_err() && Sources::new(&["127.0.0.1".parse().unwrap()]).check().is_ok());
    }
}
