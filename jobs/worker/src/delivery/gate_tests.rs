//! A gate against answers that come, come late, or never come.

use posthouse_schema::json::Headers;

use super::{super::send::Answer, *};

const MAX: f64 = 64.0;

fn open_all(gate: &mut Gate, now: Instant) -> usize {
    let mut opened = 0;
    while gate.has_place() {
        assert!(matches!(gate.enter(now), Entry::Open));
        opened += 1;
    }
    opened
}

fn answered(status: u16) -> Sent {
    Sent::Answered(Answer { status, headers: Headers::default(), body: Vec::new() })
}

#[test]
fn an_endpoint_that_answers_gets_more_up_to_the_limit() {
    let now = Instant::now();
    let mut gate = Gate::new(MAX, now);
    assert_eq!(open_all(&mut gate, now), 16);
    for _ in 0..200 {
        gate.leave(Duration::from_millis(5), Sign::Well, MAX, now);
        open_all(&mut gate, now);
    }
    assert_eq!(gate.open, 64);
}

#[test]
fn an_endpoint_that_does_not_answer_gets_less_and_recovers_slowly() {
    let now = Instant::now();
    let mut gate = Gate::new(MAX, now);
    open_all(&mut gate, now);
    for _ in 0..16 {
        gate.leave(Duration::from_secs(10), Sign::Overloaded, MAX, now);
    }
    assert_eq!(open_all(&mut gate, now), 1, "one probe at a time");
    for _ in 0..10 {
        gate.leave(Duration::from_millis(5), Sign::Well, MAX, now);
        open_all(&mut gate, now);
    }
    assert_eq!(gate.open, 4);
}

#[test]
fn a_quick_endpoint_is_waited_for_and_one_that_stands_still_is_not() {
    let began = Instant::now();
    let mut gate = Gate::new(MAX, began);
    open_all(&mut gate, began);
    assert!(matches!(gate.enter(began + Duration::from_millis(10)), Entry::Wait(_)));
    let late = began + Duration::from_secs(5);
    let times: Vec<Duration> = (0..1_000)
        .map(|_| match gate.enter(late) {
            Entry::Away(away) => away,
            _ => panic!("it hangs"),
        })
        .collect();
    assert!(times.is_sorted() && times[0] < Duration::from_secs(1), "{:?}", times[0]);
    assert!(times[100] > Duration::from_secs(20), "they come back one after the other: {:?}", times[100]);
    assert_eq!(times[999], AWAY.1, "and within a bound");
}

#[test]
fn what_an_answer_says_of_load() {
    for status in [200, 204, 301, 400, 404, 410, 500] {
        assert_eq!(Sign::of(&answered(status)), Sign::Well, "{status}");
    }
    for status in [429, 503] {
        assert_eq!(Sign::of(&answered(status)), Sign::Overloaded, "{status}");
    }
    assert_eq!(Sign::of(&Sent::Failed { class: "timeout", message: String::new() }), Sign::Overloaded);
    assert_eq!(Sign::of(&Sent::EgressUnavailable(String::new())), Sign::Nothing);
}

#[tokio::test]
async fn places_go_from_one_to_the_next_and_nothing_is_kept_of_an_idle_endpoint() {
    let (gates, project, endpoint) = (Gates::new(1), ProjectId::generate(), EndpointId::generate());
    let first = gates.enter(project, endpoint).await.unwrap();
    let other = gates.enter(project, EndpointId::generate()).await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let gates = gates.clone();
            tokio::spawn(async move { gates.enter(project, endpoint).await.map(|pass| pass.learn(&answered(200))) })
        })
        .collect();
    let given_up = tokio::spawn({
        let gates = gates.clone();
        async move { gates.enter(project, endpoint).await.map(drop) }
    });
    while gates.lock()[&(project, endpoint)].waiting.len() < 4 {
        tokio::task::yield_now().await;
    }
    given_up.abort();
    first.learn(&answered(200));
    for waited in waiting {
        waited.await.unwrap().unwrap();
    }
    drop((other, given_up.await));
    assert!(gates.lock().is_empty());
}
