//! Events that a sink refuses: they hold up nobody for ever, and none is given up for the sink's own faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ledger::{Ledger, event, id};
use super::server::{Received, Server, answer};
use super::{run, sink, status, until};

/// Refuses a request with one of these events.
async fn picky(bad: impl IntoIterator<Item = usize>) -> Server {
    let bad: Vec<String> = bad.into_iter().map(id).collect();
    let script = move |_, request: &Received| {
        answer(if request.ids().iter().any(|id| bad.contains(id)) { 400 } else { 204 })
    };
    Server::start(script).await
}

#[tokio::test(start_paused = true)]
async fn one_bad_event_costs_the_others_seconds() {
    let ledger = Ledger::with(500);
    let server = picky([137]).await;
    let (exports, begun) = (run(&ledger, sink(&server.url())).await, Instant::now());
    until("all others are sent", || ledger.at("sink") == 500).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let expected: Vec<String> = (0..500).filter(|number| *number != 137).map(id).collect();
    assert_eq!(server.kept(), expected);
    let status = status(&exports);
    assert_eq!((status.sent, status.dead), (499, 1));
    assert!(status.last_error.unwrap().1.contains("400"));
    let alone = server.requests().iter().filter(|request| request.ids() == [id(137)]).count();
    assert_eq!(alone, 3);
}

#[tokio::test(start_paused = true)]
async fn many_bad_events_are_all_found() {
    let ledger = Ledger::with(100);
    let server = picky([0, 1, 50, 98, 99]).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all others are sent", || ledger.at("sink") == 100).await;
    assert_eq!(server.kept(), (2..98).filter(|number| *number != 50).map(id).collect::<Vec<_>>());
    assert_eq!(status(&exports).dead, 5);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_refuses_everything_loses_nothing_until_it_is_mended() {
    let ledger = Ledger::with(10);
    let mended = Arc::new(AtomicBool::new(false));
    let look = Arc::clone(&mended);
    let server =
        Server::start(move |_, _| answer(if look.load(Ordering::Relaxed) { 200 } else { 400 })).await;
    let exports = run(&ledger, sink(&server.url())).await;
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!((ledger.at("sink"), status(&exports).dead), (0, 0));
    mended.store(true, Ordering::Relaxed);
    until("all are sent", || ledger.at("sink") == 10).await;
    assert_eq!(server.kept(), (0..10).map(id).collect::<Vec<_>>());
    assert_eq!(status(&exports).dead, 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_alone_is_given_up_after_ten_minutes() {
    let ledger = Ledger::with(1);
    let server = picky([0]).await;
    let (exports, begun) = (run(&ledger, sink(&server.url())).await, Instant::now());
    until("it is given up", || ledger.at("sink") == 1).await;
    assert!(begun.elapsed() >= Duration::from_secs(600) && begun.elapsed() < Duration::from_secs(700));
    ledger.add([event(1)]);
    until("the next is sent", || ledger.at("sink") == 2).await;
    assert_eq!((server.kept(), status(&exports).dead), (vec![id(1)], 1));
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_sink_was_away_does_not_count_against_an_event() {
    for (refusals, dead) in [(7, 0), (1000, 10)] {
        let ledger = Ledger::with(10);
        // Away for much longer than ten minutes, then in doubt, away again, and in doubt for longer or shorter.
        let script = move |number, _: &Received| match number {
            0..60 | 90..120 => answer(503),
            number if number < 120 + refusals => answer(400),
            _ => answer(200),
        };
        let server = Server::start(script).await;
        let exports = run(&ledger, sink(&server.url())).await;
        until("it is away", || server.requests().len() > 59).await;
        assert!(server.requests()[59].at - server.requests()[0].at > Duration::from_secs(1200));
        super::within("all are done with", Duration::from_secs(36_000), || ledger.at("sink") == 10).await;
        assert_eq!((status(&exports).dead, server.kept().len()), (dead, 10 - usize::try_from(dead).unwrap()));
        let requests = server.requests();
        let refused_for = requests.last().unwrap().at - requests[120].at;
        assert_eq!(refused_for >= Duration::from_secs(590), dead > 0, "{refused_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_meter_is_gone_is_given_up() {
    let ledger = Ledger::with(1);
    let mut gone = event(1);
    gone.meter = "gone".into();
    ledger.add([gone, event(2)]);
    let server = Server::start(|_, _| answer(200)).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all others are sent", || ledger.at("sink") == 3).await;
    assert_eq!(server.kept(), [id(0), id(2)]);
    assert_eq!(status(&exports).dead, 1);
    assert!(status(&exports).last_error.unwrap().1.contains("not configured"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_together_is_sent_apart() {
    let ledger = Ledger::with(100);
    let server = Server::start(|_, request| answer(if request.ids().len() > 13 { 413 } else { 200 })).await;
    let exports = run(&ledger, sink(&server.url())).await;
    until("all are sent", || ledger.at("sink") == 100).await;
    assert_eq!(server.kept(), (0..100).map(id).collect::<Vec<_>>());
    assert_eq!(status(&exports).dead, 0);
}
