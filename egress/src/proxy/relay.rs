//! Bytes both ways between two streams. An end of one direction is passed on and the other goes on; nothing moving in
//! either for the idle time ends both.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::Instant,
};

const BUFFER_BYTES: usize = 8 * 1024;

/// Bytes carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// To the origin.
    pub(super) from_client: u64,
    /// To the client.
    pub(super) from_origin: u64,
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
    /// The proxy stopped.
    Cut,
}

impl End {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::Cut => "cut",
        }
    }
}

/// One direction's count, and when it last moved.
struct Flow<'a> {
    bytes: AtomicU64,
    moved_ms: &'a AtomicU64,
    began: Instant,
}

pub(super) async fn relay(
    client: impl AsyncRead + AsyncWrite + Unpin,
    origin: impl AsyncRead + AsyncWrite + Unpin,
    idle_timeout: Duration,
) -> (Counts, End) {
    let (began, moved_ms) = (Instant::now(), AtomicU64::new(0));
    let flow = || Flow { bytes: AtomicU64::new(0), moved_ms: &moved_ms, began };
    let (out, back) = (flow(), flow());
    let (client_read, client_write) = tokio::io::split(client);
    let (origin_read, origin_write) = tokio::io::split(origin);
    let both =
        async { tokio::try_join!(pump(client_read, origin_write, &out), pump(origin_read, client_write, &back)) };
    let end = tokio::select! {
        result = both => if result.is_ok() { End::Done } else { End::Broken },
        () = idle(&moved_ms, began, idle_timeout) => End::Idle,
    };
    (Counts { from_client: out.bytes.load(Ordering::Relaxed), from_origin: back.bytes.load(Ordering::Relaxed) }, end)
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, flow: &Flow<'_>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        flow.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        flow.moved_ms.store(millis(flow.began.elapsed()), Ordering::Relaxed);
    }
}

async fn idle(moved_ms: &AtomicU64, began: Instant, timeout: Duration) {
    loop {
        let deadline = began + Duration::from_millis(moved_ms.load(Ordering::Relaxed)) + timeout;
        if deadline <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn bytes_go_both_ways_and_an_end_is_passed_on_while_the_other_side_answers() {
        let ((mut client, a), (b, mut origin)) = (tokio::io::duplex(64), tokio::io::duplex(64));
        let relaying = tokio::spawn(relay(a, b, IDLE));
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        origin.read_to_string(&mut question).await.unwrap();
        origin.write_all(b"a late answer").await.unwrap();
        drop(origin);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "a late answer"));
        assert_eq!(relaying.await.unwrap(), (Counts { from_client: 8, from_origin: 13 }, End::Done));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_tunnel_is_closed_and_one_that_moves_is_not() {
        let ((mut client, a), (b, _origin)) = (tokio::io::duplex(1024), tokio::io::duplex(1024));
        let began = Instant::now();
        let relaying = tokio::spawn(relay(a, b, IDLE));
        for _ in 0..3 {
            tokio::time::sleep(IDLE / 2).await;
            client.write_all(b"x").await.unwrap();
        }
        let (counts, end) = relaying.await.unwrap();
        assert_eq!((counts.from_client, end), (3, End::Idle));
        assert!(began.elapsed() >= IDLE + IDLE / 2 * 3, "{:?}", began.elapsed());
    }
}
