//! Rates that workers keep together: never more turns in any stretch of time than there may be, and first come, first served.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use posthouse_jobs::queue::{Rate, Turn, testing::TestQueues};

fn rate(count: u32, period: Duration) -> Rate {
    Rate::new(count, period).unwrap()
}

/// Comes until it gets its turn; answers when that was.
async fn turn(queues: &posthouse_jobs::Queues, line: &str, rate: Rate) -> DateTime<Utc> {
    let mut promised = None;
    loop {
        match queues.take_turn(line, rate, promised).await.unwrap() {
            Turn::Now => return Utc::now(),
            Turn::At(time) => {
                promised = Some(time);
                tokio::time::sleep((time - Utc::now()).to_std().unwrap_or_default()).await;
            }
        }
    }
}

#[tokio::test]
async fn no_stretch_of_time_has_more_turns_than_it_may() {
    let queues = TestQueues::new().await;
    let (count, period) = (20, Duration::from_millis(500));
    let workers = (0..70).map(|_| {
        let queues = queues.queues();
        tokio::spawn(async move { turn(&queues, "a", rate(count, period)).await })
    });
    let mut turns: Vec<_> = futures::future::join_all(workers).await.into_iter().map(Result::unwrap).collect();
    turns.sort_unstable();
    // Each is noted here a moment after Redis gave it, so two of them may seem closer by that.
    let slack = TimeDelta::milliseconds(50);
    let period = TimeDelta::from_std(period).unwrap();
    for pair in turns.windows(usize::try_from(count).unwrap() + 1) {
        assert!(pair[pair.len() - 1] - pair[0] > period - slack, "{pair:?}");
    }
    let took = turns[69] - turns[0];
    assert!(took < period * 4, "50 turns behind the first 20 took {took}");
    queues.close().await;
}

#[tokio::test]
async fn a_promise_is_kept_before_those_who_come_anew() {
    let queues = TestQueues::new().await;
    let slow = rate(2, Duration::from_millis(400));
    let ask = async |promised| queues.take_turn("a", slow, promised).await.unwrap();
    assert_eq!([ask(None).await, ask(None).await], [Turn::Now, Turn::Now]);
    let (Turn::At(first), Turn::At(second)) = (ask(None).await, ask(None).await) else {
        panic!("a third turn at once")
    };
    assert_eq!(second - first, TimeDelta::milliseconds(200));
    assert_eq!(ask(Some(second)).await, Turn::At(second), "asking early costs nothing");
    tokio::time::sleep((first - Utc::now()).to_std().unwrap() + Duration::from_millis(5)).await;
    let Turn::At(third) = ask(None).await else { panic!("a turn that was promised went to somebody else") };
    assert!(third > second);
    assert_eq!(ask(Some(first)).await, Turn::Now);
    queues.close().await;
}

#[tokio::test]
async fn another_rate_begins_another_line() {
    let queues = TestQueues::new().await;
    let slow = rate(1, Duration::from_secs(3_600));
    assert_eq!(queues.take_turn("a", slow, None).await.unwrap(), Turn::Now);
    let Turn::At(far) = queues.take_turn("a", slow, None).await.unwrap() else { panic!("a second turn in an hour") };
    assert!(far - Utc::now() > TimeDelta::minutes(59));
    let quick = rate(100, Duration::from_secs(1));
    assert_eq!(queues.take_turn("a", quick, Some(far)).await.unwrap(), Turn::Now, "promised at another rate");
    assert_eq!(queues.take_turn("b", slow, None).await.unwrap(), Turn::Now, "another line");
    queues.close().await;
}

#[tokio::test]
async fn turns_lie_closer_together_than_milliseconds() {
    let queues = TestQueues::new().await;
    let quick = rate(10_000, Duration::from_secs(1));
    for _ in 0..10_000 / 500 {
        let asked = (0..500).map(|_| queues.take_turn("a", quick, None));
        assert!(futures::future::join_all(asked).await.into_iter().all(|turn| turn.unwrap() == Turn::Now));
    }
    let asked = (0..1_000).map(|_| queues.take_turn("a", quick, None));
    let promised: Vec<_> = futures::future::join_all(asked).await.into_iter().map(Result::unwrap).collect();
    let times: Vec<_> =
        promised.iter().filter_map(|turn| if let Turn::At(time) = turn { Some(*time) } else { None }).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return };
    assert!(*last - *first <= TimeDelta::milliseconds(110), "1,000 turns at 10 in a millisecond: {}", *last - *first);
    queues.close().await;
}

/// Whoever takes several at once gets no more than there are, and hears when to come back.
#[tokio::test]
async fn several_turns_at_once_are_within_the_rate() {
    let queues = TestQueues::new().await;
    let minute = Duration::from_mins(1);
    let takers = (0..40).map(|_| {
        let queues = queues.queues();
        tokio::spawn(async move { queues.take_turns("a", rate(100, minute), 7).await.unwrap() })
    });
    let turns: Vec<_> = futures::future::join_all(takers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(turns.iter().map(|turns| turns.taken).sum::<usize>(), 100);
    for turns in turns {
        let is_short = turns.taken < 7;
        assert!(turns.taken <= 7 && is_short != turns.wait.is_zero() && turns.wait <= minute, "{turns:?}");
    }
    assert_eq!(queues.take_turns("b", rate(100, minute), 7).await.unwrap().taken, 7, "another line");

    // In short stretches, from its beginning to its end.
    let (count, period) = (50, Duration::from_millis(200));
    let (mut taken, started) = (0, tokio::time::Instant::now());
    while taken < 400 {
        let turns = queues.take_turns("c", rate(count, period), 30).await.unwrap();
        taken += turns.taken;
        tokio::time::sleep(turns.wait).await;
    }
    assert!(started.elapsed() >= period * (400 / count - 1), "{:?}", started.elapsed());
    queues.close().await;
}
