//! What moved over a connection, and when it last did. One meter serves both directions: a download keeps a silent upload
//! alive, and a connection in which neither moves is idle.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Counts of one connection, which also go into the process's totals as they happen.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    began: Instant,
    moved_ms: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    totals: Totals,
}

/// Bytes of all connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub(super) read: Counter,
    pub(super) written: Counter,
}

impl Meter {
    pub(super) fn new(totals: Totals) -> Self {
        let zero = AtomicU64::default;
        Self(Arc::new(Counts { began: Instant::now(), moved_ms: zero(), read: zero(), written: zero(), totals }))
    }

    pub(super) fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    pub(super) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        millis(self.0.began.elapsed())
    }

    /// Ends when nothing has moved for this long.
    pub(super) async fn idle(&self, timeout: Duration) {
        while !self.is_idle(timeout) {
            tokio::time::sleep_until(self.deadline(timeout)).await;
        }
    }

    pub(super) fn is_idle(&self, timeout: Duration) -> bool {
        self.deadline(timeout) <= Instant::now()
    }

    fn deadline(&self, timeout: Duration) -> Instant {
        self.0.began + Duration::from_millis(self.0.moved_ms.load(Ordering::Relaxed)) + timeout
    }

    fn moved(&self, bytes: usize, count: &AtomicU64, total: &Counter) {
        if bytes > 0 {
            count.fetch_add(bytes as u64, Ordering::Relaxed);
            total.inc_by(bytes as u64);
            self.0.moved_ms.store(self.elapsed_ms(), Ordering::Relaxed);
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A stream with its meter.
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    meter: Meter,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, totals: Totals) -> Self {
        Self { stream, meter: Meter::new(totals) }
    }

    pub(super) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    pub(super) const fn get_ref(&self) -> &S {
        &self.stream
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let counts = &self.meter.0;
        self.meter.moved(buffer.filled().len().saturating_sub(before), &counts.read, &counts.totals.read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let counts = &self.meter.0;
        self.meter.moved(written, &counts.written, &counts.totals.written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        let counts = &self.meter.0;
        self.meter.moved(written, &counts.written, &counts.totals.written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
