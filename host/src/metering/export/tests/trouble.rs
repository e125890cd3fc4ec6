//! Sinks that are down, slow, busy or cut off: all arrives, in order, and the cursor is where it belongs.

use std::time::Duration;

use super::ledger::{Ledger, event, id};
use super::server::{Act, Server, answer};
use super::{run, sink, status, until};
use crate::metering::export::Sink;

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(id).collect()
}

#[tokio::test(start_paused = true)]
async fn events_go_out_in_batches_and_in_order() {
    let ledger = Ledger::with(250);
    let server = Server::start(|_, _| answer(204)).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 250).await;
    ledger.add((250..260).map(event));
    until("the rest is sent", || ledger.at("sink") == 260).await;
    assert_eq!(server.kept(), ids(0..260));
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.ids().len()).collect::<Vec<_>>(), [100, 100, 50, 10]);
    assert!(requests[0].head.contains("content-type: application/cloudevents-batch+json\r\n"));
    assert!(requests[0].head.starts_with("post /api/v1/events http/1.1\r\n"));
    let status = status(&exports);
    assert_eq!((status.sent, status.failed, status.dead, status.skipped), (260, 0, 0, 0));
    assert!(status.last_success.is_some() && status.last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn all_arrive_through_every_trouble() {
    let ledger = Ledger::with(350);
    let script = |number, _: &_| match number {
        0 => answer(500),
        1 => Act::Answer(429, "retry-after: 100\r\n", String::new()),
        2 => Act::Late(Duration::from_secs(11)),
        4 => Act::Cut,
        6 => Act::Drop,
        7 => Act::Late(Duration::from_secs(600)),
        9 => answer(503),
        _ => answer(200),
    };
    let server = Server::start(script).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 350).await;
    assert_eq!(server.distinct(), ids(0..350));
    let requests = server.requests();
    let pause = requests[2].at - requests[1].at;
    assert!(pause >= Duration::from_secs(100), "{pause:?}");
    let status = status(&exports);
    assert_eq!((status.sent, status.dead), (350, 0));
    assert!(status.failed >= 7, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_for_long_gets_all_when_it_is_back() {
    let ledger = Ledger::with(30);
    let mut server = Server::start(|_, _| answer(200)).await;
    server.go_down();
    let exports = run(&ledger, sink(&server.url())).await;
    until("it is noticed", || status(&exports).failed >= 20).await;
    let seen = status(&exports);
    assert_eq!((ledger.at("sink"), seen.sent, seen.lag_events), (0, 0, Some(30)));
    assert!(seen.last_error.unwrap().1.contains("cannot connect"));
    server.come_up().await;
    until("all are sent", || ledger.at("sink") == 30).await;
    assert_eq!(server.kept(), ids(0..30));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_of_no_use() {
    let ledger = Ledger::with(10);
    // The first answers come while the next requests wait for theirs, which never come.
    let script = |number, _: &_| match number {
        0..3 => Act::Late(Duration::from_secs(15)),
        3..6 => Act::Late(Duration::from_secs(1_000_000)),
        _ => answer(200),
    };
    let server = Server::start(script).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("six have gone out", || server.requests().len() == 6).await;
    assert_eq!((ledger.at("sink"), status(&exports).sent), (0, 0));
    until("all are sent", || ledger.at("sink") == 10).await;
    assert_eq!(server.distinct(), ids(0..10));
}

#[tokio::test(start_paused = true)]
async fn what_is_the_operators_fault_costs_no_event() {
    for status_code in [301, 401, 403, 404, 415, 500] {
        let ledger = Ledger::with(3);
        let server =
            Server::start(move |number, _| answer(if number < 90 { status_code } else { 200 })).await;
        let exports = run(&ledger, sink(&server.url())).await;
        let begun = tokio::time::Instant::now();
        super::within("all are sent", Duration::from_secs(36_000), || ledger.at("sink") == 3).await;
        assert!(begun.elapsed() > Duration::from_secs(2400), "{:?}", begun.elapsed());
        assert_eq!((server.kept(), status(&exports).dead), (ids(0..3), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_sends_nothing_twice() {
    let ledger = Ledger::with(100);
    let server = Server::start(|_, _| answer(200)).await;
    ledger.fail(5);
    let exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 100).await;
    let tell = {
        let ledger = std::sync::Arc::clone(&ledger);
        move |_, _: &_| {
            ledger.fail(7);
            answer(200)
        }
    };
    let other = Server::start(tell).await;
    let again = run(&ledger, Sink { name: "other".into(), ..sink(&other.url()) }).await;
    until("all are sent", || ledger.at("other") == 100).await;
    assert_eq!((server.kept(), other.kept()), (ids(0..100), ids(0..100)));
    assert!(status(&exports).last_error.unwrap().1.contains("it is away"));
    assert!(status(&again).failed > 0);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_another_gateways_is_left_alone() {
    let ledger = Ledger::with(10);
    ledger.move_elsewhere(true);
    let server = Server::start(|_, _| answer(200)).await;
    let _exports = run(&ledger, sink(&server.url())).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((server.requests().len(), ledger.advances()), (0, 0));
    ledger.move_elsewhere(false);
    until("all are sent", || ledger.at("sink") == 10).await;
    assert_eq!(server.kept(), ids(0..10));
}

#[tokio::test(start_paused = true)]
async fn what_another_gateway_has_sent_meanwhile_is_not_sent_again() {
    let ledger = Ledger::with(10);
    let server = Server::start(|_, _| answer(200)).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 10).await;
    // The connection that held the claim was lost, and is there again.
    ledger.add((10..30).map(event));
    ledger.lend("sink", 20);
    until("the rest is sent", || ledger.at("sink") == 30).await;
    assert_eq!(server.kept(), [ids(0..10), ids(20..30)].concat());
    assert_eq!(status(&exports).failed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_was_moved_by_somebody_else_is_not_moved_on() {
    let ledger = Ledger::with(100);
    let theirs = std::sync::Arc::clone(&ledger);
    let script = move |number, _: &_| {
        if number == 0 {
            theirs.lend("sink", 30);
        }
        answer(200)
    };
    let server = Server::start(script).await;
    let _exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 100).await;
    // Whether it had what this gateway has sent nobody knows.
    assert_eq!(server.kept(), [ids(0..100), ids(30..100)].concat());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_killed_sends_again_what_it_may_not_have_sent() {
    let ledger = Ledger::with(300);
    let server = Server::start(|_, _| answer(200)).await;
    ledger.kill_after(Some(1));
    let killed = run(&ledger, sink(&server.url())).await;
    until("two are sent", || server.requests().len() == 2).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(ledger.at("sink"), 100);
    drop(killed);
    ledger.kill_after(None);
    let _exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 300).await;
    assert_eq!(server.distinct(), ids(0..300));
    assert_eq!(server.kept().len(), 400);
}

#[tokio::test(start_paused = true)]
async fn who_lags_behind_is_told_of() {
    let ledger = Ledger::with(0);
    let mut server = Server::start(|_, _| answer(200)).await;
    let exports = run(&ledger, Sink { lag_alarm: Duration::from_secs(3700), ..sink(&server.url()) }).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let seen = status(&exports);
    assert_eq!((seen.late, seen.lag_events, seen.lag), (false, Some(0), Some(Duration::ZERO)));
    server.go_down();
    ledger.add([event(0)]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!status(&exports).late);
    until("it lags", || status(&exports).late).await;
    let seen = status(&exports);
    assert!(seen.lag.unwrap() > Duration::from_secs(3700) && seen.lag_events == Some(1), "{seen:?}");
    server.come_up().await;
    until("it has caught up", || !status(&exports).late).await;
    assert_eq!(ledger.at("sink"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sink_gets_its_meters_and_nothing_of_nobody() {
    let ledger = Ledger::with(0);
    for number in 0..3000 {
        let mut event = event(number);
        if number % 1000 != 7 {
            event.meter = "requests".into();
        }
        if number % 1000 == 8 {
            event.meter = "tokens".into();
            event.consumer = "".into();
        }
        ledger.add([event]);
    }
    let server = Server::start(|_, _| answer(200)).await;
    let exports = run(&ledger, Sink { meters: vec!["tokens".into()], ..sink(&server.url()) }).await;
    until("all are looked at", || ledger.at("sink") == 3000).await;
    assert_eq!(server.kept(), [id(7), id(1007), id(2007)]);
    let status = status(&exports);
    assert_eq!((status.sent, status.skipped), (3, 3));
}
