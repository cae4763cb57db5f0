//! Bytes both ways between two streams. The end of one direction is passed on while the other goes on, and what the side
//! that closed had sent still arrives. A tunnel in which nothing moves holds no buffer: bytes are read into one of the
//! thread's, and only what the receiver does not take at once is kept.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::meter::{Meter, Metered};

/// Bytes that are read at once, and kept at most.
const READ_BYTES: usize = 32 * 1024;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Why a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides were done.
    Done,
    /// A side broke off.
    Broken,
    /// Nothing moved for too long.
    Idle,
    /// It was open for as long as a tunnel may be.
    Old,
    /// It carried as much as a tunnel may.
    Spent,
    /// The proxy stopped.
    Cut,
}

impl End {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::Old => "lifetime",
            Self::Spent => "bytes",
            Self::Cut => "cut",
        }
    }
}

/// What a tunnel may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) idle: Duration,
    pub(super) lifetime: Option<Duration>,
    pub(super) bytes_max: Option<u64>,
}

/// Carries bytes until the end. `early` came behind the request's head.
pub(super) async fn relay<C, S>(mut client: C, mut origin: Metered<S>, early: Bytes, bounds: Bounds) -> End
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let meter = origin.meter();
    let (mut up, mut down) = (Pump::new(early), Pump::new(Bytes::new()));
    let both = std::future::poll_fn(|cx| {
        let sent = up.poll(cx, &mut client, &mut origin);
        let received = down.poll(cx, &mut origin, &mut client);
        if is_spent(&meter, bounds.bytes_max) {
            return Poll::Ready(End::Spent);
        }
        match (sent, received) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(End::Broken),
            (Poll::Ready(Ok(Way::Finished)), Poll::Ready(Ok(Way::Finished))) => Poll::Ready(End::Done),
            (Poll::Ready(Ok(_)), Poll::Ready(Ok(_))) => Poll::Ready(End::Broken),
            _ => Poll::Pending,
        }
    });
    tokio::select! {
        end = both => end,
        () = meter.idle(bounds.idle) => End::Idle,
        () = after(bounds.lifetime) => End::Old,
    }
}

fn is_spent(meter: &Meter, bytes_max: Option<u64>) -> bool {
    bytes_max.is_some_and(|max| meter.read().saturating_add(meter.written()) > max)
}

async fn after(lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => tokio::time::sleep(lifetime).await,
        None => std::future::pending().await,
    }
}

/// How one direction ended when its sender did not break off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The sender was done, and the receiver knows.
    Finished,
    /// The receiver takes no more. It may have said why, so the other direction goes on.
    Unwanted,
}

/// One direction.
struct Pump {
    /// Read, and not yet taken by the receiver.
    kept: Bytes,
    is_flushed: bool,
    is_read: bool,
    end: Option<Way>,
}

impl Pump {
    const fn new(kept: Bytes) -> Self {
        Self { kept, is_flushed: true, is_read: false, end: None }
    }

    /// Fails when the sender breaks off: then nothing is left to deliver, and nobody to deliver to.
    fn poll<F, T>(&mut self, cx: &mut Context<'_>, from: &mut F, to: &mut T) -> Poll<io::Result<Way>>
    where
        F: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        loop {
            if let Some(end) = self.end {
                return Poll::Ready(Ok(end));
            }
            let step = if !self.kept.is_empty() {
                self.write_kept(cx, to)
            } else if self.is_read {
                Pin::new(&mut *to).poll_shutdown(cx).map(|result| self.end = Some(Self::ended(result.is_ok())))
            } else {
                match self.carry(cx, from, to) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) => Poll::Ready(()),
                    Poll::Pending => self.flush(cx, to),
                }
            };
            if step.is_pending() {
                return Poll::Pending;
            }
        }
    }

    const fn ended(is_finished: bool) -> Way {
        if is_finished { Way::Finished } else { Way::Unwanted }
    }

    fn write_kept(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin)) -> Poll<()> {
        self.is_flushed = false;
        Pin::new(to).poll_write(cx, &self.kept).map(|written| match written {
            Ok(written @ 1..) => {
                self.kept.advance(written);
                if self.kept.is_empty() {
                    // Gives the memory back.
                    self.kept = Bytes::new();
                }
            }
            Ok(0) | Err(_) => self.end = Some(Way::Unwanted),
        })
    }

    /// Reads once, and hands over what was read.
    fn carry<F, T>(&mut self, cx: &mut Context<'_>, from: &mut F, to: &mut T) -> Poll<io::Result<()>>
    where
        F: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        READ.with_borrow_mut(|room| {
            let mut buffer = ReadBuf::new(room);
            match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            let mut left = buffer.filled();
            self.is_read = left.is_empty();
            while !left.is_empty() && self.end.is_none() {
                self.is_flushed = false;
                match Pin::new(&mut *to).poll_write(cx, left) {
                    Poll::Ready(Ok(written @ 1..)) => left = left.get(written..).unwrap_or_default(),
                    Poll::Ready(Ok(0) | Err(_)) => self.end = Some(Way::Unwanted),
                    Poll::Pending => {
                        self.kept = Bytes::copy_from_slice(left);
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    /// TLS keeps what it has encrypted until it is flushed. There is nothing else to do then, so this is always pending.
    fn flush(&mut self, cx: &mut Context<'_>, to: &mut (impl AsyncWrite + Unpin)) -> Poll<()> {
        if !self.is_flushed {
            match Pin::new(to).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.is_flushed = true,
                Poll::Ready(Err(_)) => {
                    self.end = Some(Way::Unwanted);
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;
    use crate::proxy::meter::Totals;

    const IDLE: Duration = Duration::from_secs(60);
    const BOUNDS: Bounds = Bounds { idle: IDLE, lifetime: None, bytes_max: None };

    #[tokio::test]
    async fn bytes_go_both_ways_and_an_end_is_passed_on_while_the_other_side_answers() {
        let ((mut client, a), (b, mut origin)) = (duplex(64), duplex(64));
        let totals = Totals::default();
        let b = Metered::new(b, totals.clone());
        let meter = b.meter();
        let relaying = tokio::spawn(relay(a, b, Bytes::from_static(b"early "), BOUNDS));
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        origin.read_to_string(&mut question).await.unwrap();
        origin.write_all(b"a late answer").await.unwrap();
        drop(origin);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("early question", "a late answer"));
        assert_eq!((relaying.await.unwrap(), meter.written(), meter.read()), (End::Done, 14, 13));
        assert_eq!((totals.written.get(), totals.read.get()), (14, 13));
    }

    #[tokio::test]
    async fn a_slow_receiver_gets_every_byte_in_order() {
        let ((mut client, a), (b, mut origin)) = (duplex(1024 * 1024), duplex(100));
        let sent: Vec<u8> = (0..=250_u8).cycle().take(300_000).collect();
        let relaying = tokio::spawn(relay(a, Metered::new(b, Totals::default()), Bytes::new(), BOUNDS));
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut received = Vec::new();
        origin.read_to_end(&mut received).await.unwrap();
        assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
        drop((origin, client));
        relaying.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_tunnel_is_closed_and_one_that_moves_is_not() {
        let ((mut client, a), (b, mut origin)) = (duplex(1024), duplex(1024));
        let began = Instant::now();
        let relaying = tokio::spawn(relay(a, Metered::new(b, Totals::default()), Bytes::new(), BOUNDS));
        for _ in 0..3 {
            tokio::time::sleep(IDLE / 2).await;
            client.write_all(b"x").await.unwrap();
            tokio::time::sleep(IDLE / 2).await;
            origin.write_all(b"x").await.unwrap();
        }
        assert_eq!(relaying.await.unwrap(), End::Idle);
        assert!(began.elapsed() >= IDLE * 4, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_has_an_age_and_a_number_of_bytes() {
        let ((_client, a), (b, _origin)) = (duplex(1024), duplex(1024));
        let bounds = Bounds { lifetime: Some(IDLE / 2), ..BOUNDS };
        let began = Instant::now();
        assert_eq!(relay(a, Metered::new(b, Totals::default()), Bytes::new(), bounds).await, End::Old);
        assert_eq!(began.elapsed(), IDLE / 2);
        let ((mut client, a), (b, _origin)) = (duplex(1024), duplex(1024));
        let bounds = Bounds { bytes_max: Some(10), ..BOUNDS };
        let relaying = tokio::spawn(relay(a, Metered::new(b, Totals::default()), Bytes::new(), bounds));
        client.write_all(&[0; 10]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!relaying.is_finished(), "as many as it may");
        client.write_all(&[0; 1]).await.unwrap();
        assert_eq!(relaying.await.unwrap(), End::Spent);
    }
}
