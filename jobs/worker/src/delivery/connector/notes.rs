//! What is known of a connection and how it came about. A request has a sheet of its own; the connector fills it in while it
//! connects, and the connection keeps it, so that later requests over it know to which address they went.

use std::{
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use hyper::header::HeaderValue;

tokio::task_local! {
    /// The pool passes a connector nothing but the destination.
    static SHEET: Notes;
}

/// How a connection came about; `None` for what did not happen, or is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The address that was connected to.
    pub address: Option<IpAddr>,
    /// How long the name server took.
    pub dns: Option<Duration>,
    /// How long connecting took.
    pub connect: Option<Duration>,
    /// How long the TLS handshake took.
    pub tls: Option<Duration>,
}

impl Facts {
    /// As egress writes them: `address=192.0.2.1 dns_us=1200 connect_us=15000`, with what did not happen left out.
    pub fn of_egress(text: &str) -> Self {
        let mut facts = Self::default();
        for (name, value) in text.split_ascii_whitespace().filter_map(|part| part.split_once('=')) {
            let time = || value.parse().ok().map(Duration::from_micros);
            match name {
                "address" => facts.address = value.parse().ok(),
                "dns_us" => facts.dns = time(),
                "connect_us" => facts.connect = time(),
                _ => {}
            }
        }
        facts
    }
}

/// A sheet. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Sheet>);

#[derive(Debug, Default)]
struct Sheet {
    facts: Mutex<Facts>,
    /// The span that the request is, for who makes its connection.
    span: OnceLock<HeaderValue>,
}

impl Notes {
    /// The sheet of the request that is being sent, or one that nobody reads.
    pub fn current() -> Self {
        SHEET.try_with(Self::clone).unwrap_or_default()
    }

    /// Lets connectors find this sheet while the request runs.
    pub fn scope<F: Future>(&self, request: F) -> impl Future<Output = F::Output> {
        SHEET.scope(self.clone(), request)
    }

    /// Changes it.
    pub fn write(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.0.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What stands on it now.
    pub fn read(&self) -> Facts {
        *self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the span of the request.
    pub fn name_span(&self, span: &HeaderValue) {
        self.0.span.get_or_init(|| span.clone());
    }

    /// The span of the request, where it was named.
    pub fn span(&self) -> Option<&HeaderValue> {
        self.0.span.get()
    }

    /// Whether both are one sheet.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_egress_tells_is_read_and_the_rest_left_alone() {
        let told = Facts::of_egress("address=2001:db8::1 dns_us=1200 connect_us=15000 new=1");
        let (dns, connect) = (Some(Duration::from_micros(1_200)), Some(Duration::from_millis(15)));
        assert_eq!(told, Facts { address: "2001:db8::1".parse().ok(), dns, connect, tls: None });
        for nothing in ["", "address=", "address=here dns_us=-1 connect_us=x", "dns_us", "=="] {
            assert_eq!(Facts::of_egress(nothing), Facts::default(), "{nothing}");
        }
    }
}
