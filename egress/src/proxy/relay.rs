//! Bytes both ways between two streams. The end of one direction is passed on while the other goes on, and what the side
//! that closed had sent still arrives; nothing moving in either direction for the idle time ends both.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::meter::Metered;

const BUFFER_BYTES: usize = 8 * 1024;

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

/// How one direction ended when its sender did not break off.
#[derive(PartialEq, Eq)]
enum Direction {
    /// The sender was done, and the receiver knows.
    Finished,
    /// The receiver takes no more. It may have said why, so the other direction goes on.
    Unwanted,
}

pub(super) async fn relay<S: AsyncRead + AsyncWrite + Unpin>(
    client: impl AsyncRead + AsyncWrite + Unpin,
    origin: Metered<S>,
    idle_timeout: Duration,
) -> End {
    let meter = origin.meter();
    let (client_read, client_write) = tokio::io::split(client);
    let (origin_read, origin_write) = tokio::io::split(origin);
    let both = async { tokio::try_join!(pump(client_read, origin_write), pump(origin_read, client_write)) };
    tokio::select! {
        result = both => match result {
            Ok((Direction::Finished, Direction::Finished)) => End::Done,
            Ok(_) | Err(_) => End::Broken,
        },
        () = meter.idle(idle_timeout) => End::Idle,
    }
}

/// Fails when the sender breaks off: then nothing is left to deliver, and nobody to deliver to.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<Direction> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        let written = match buffer.get(..read).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => to.write_all(bytes).await,
            None => return Ok(if to.shutdown().await.is_ok() { Direction::Finished } else { Direction::Unwanted }),
        };
        if written.is_err() {
            return Ok(Direction::Unwanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};

    use super::*;
    use crate::proxy::meter::Totals;

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn bytes_go_both_ways_and_an_end_is_passed_on_while_the_other_side_answers() {
        let ((mut client, a), (b, mut origin)) = (duplex(64), duplex(64));
        let totals = Totals::default();
        let b = Metered::new(b, totals.clone());
        let meter = b.meter();
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
        assert_eq!((relaying.await.unwrap(), meter.written(), meter.read()), (End::Done, 8, 13));
        assert_eq!((totals.written.get(), totals.read.get()), (8, 13));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_tunnel_is_closed_and_one_that_moves_is_not() {
        let ((mut client, a), (b, mut origin)) = (duplex(1024), duplex(1024));
        let began = Instant::now();
        let relaying = tokio::spawn(relay(a, Metered::new(b, Totals::default()), IDLE));
        for _ in 0..3 {
            tokio::time::sleep(IDLE / 2).await;
            client.write_all(b"x").await.unwrap();
            tokio::time::sleep(IDLE / 2).await;
            origin.write_all(b"x").await.unwrap();
        }
        assert_eq!(relaying.await.unwrap(), End::Idle);
        assert!(began.elapsed() >= IDLE * 4, "{:?}", began.elapsed());
    }
}
