//! The ways of single billing systems: Lago, which takes a batch whole or not at all, and Stripe, which takes events one by one.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::ledger::{Ledger, event, id};
use super::server::{Act, Received, Server, answer};
use super::{run, sink_to, status, until};
use crate::metering::export::{HttpFormat, HttpTarget, Sink, Target};

fn to(server: &Server, format: HttpFormat) -> Sink {
    let mut secret = HeaderValue::from_static("Bearer s3cret");
    secret.set_sensitive(true);
    let headers = vec![(AUTHORIZATION, secret)];
    let url = format!("{}?key=hunter2", server.url()).parse().unwrap();
    let sink = sink_to(Target::Http(HttpTarget { url, format, headers }));
    let shown = format!("{sink:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("hunter2"), "{shown}");
    sink
}

/// As Lago's `CreateBatchService`: one that is known or wrong refuses all.
fn lago(number: usize, request: &Received, known: &mut HashSet<String>) -> Act {
    let ids = request.ids();
    assert!(ids.len() <= 100 && request.head.contains("authorization: bearer s3cret\r\n"));
    let complaint = |id: &String| {
        if known.contains(id) {
            Some(r#"{"transaction_id":["value_already_exist"]}"#)
        } else if *id == id_of_bad() {
            Some(r#"{"timestamp":["invalid_format"]}"#)
        } else {
            None
        }
    };
    let complaints: Vec<_> = ids
        .iter()
        .enumerate()
        .filter_map(|(index, id)| complaint(id).map(|complaint| format!("\"{index}\":{complaint}")))
        .collect();
    if !complaints.is_empty() {
        let body = format!(r#"{{"status":422,"error_details":{{{}}}}}"#, complaints.join(","));
        return Act::Answer(422, "", body);
    }
    known.extend(ids);
    // Some answers get lost.
    if number.is_multiple_of(2) { Act::Late(Duration::from_secs(60)) } else { answer(200) }
}

fn id_of_bad() -> String {
    id(42)
}

#[tokio::test(start_paused = true)]
async fn lago_has_each_event_once_whatever_gets_lost() {
    let ledger = Ledger::with(250);
    let mut known = HashSet::new();
    let server = Server::start(move |number, request| lago(number, request, &mut known)).await;
    let exports = run(&ledger, Sink { batch: 1000, ..to(&server, HttpFormat::Lago) }).await;
    until("all are sent", || ledger.at("sink") == 250).await;
    // Kept is what Lago took, and it took nothing twice.
    assert_eq!(server.kept(), (0..250).filter(|number| *number != 42).map(id).collect::<Vec<_>>());
    assert_eq!((status(&exports).dead, status(&exports).sent), (1, 249));
}

#[tokio::test(start_paused = true)]
async fn stripe_has_each_event_once_whatever_gets_lost() {
    let ledger = Ledger::with(0);
    // Two consumers: two lanes.
    for number in 0..60 {
        let mut event = event(number);
        event.consumer = if number % 2 == 0 { "acme".into() } else { "umbrella".into() };
        ledger.add([event]);
    }
    // As Stripe: an answer is kept for its key, and a second event of an identifier is refused.
    let (mut answers, mut known) = (HashMap::new(), HashSet::new());
    let script = move |number: usize, request: &Received| {
        let ids = request.ids();
        assert_eq!(ids.len(), 1);
        let key = request.head.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        if let Some(kept) = answers.get(&key) {
            return Act::Answer(*kept, "", String::new());
        }
        let status = if number == 3 || number == 20 { 500 } else { 200 };
        answers.insert(key, status);
        if status == 500 {
            return answer(500);
        }
        if !known.insert(ids[0].clone()) {
            let said =
                format!(r#"{{"error":{{"message":"An event already exists with identifier {}."}}}}"#, ids[0]);
            return Act::Answer(400, "", said);
        }
        if number % 9 == 8 { Act::Late(Duration::from_secs(60)) } else { answer(200) }
    };
    let server = Server::start(script).await;
    let exports = run(&ledger, to(&server, HttpFormat::Stripe)).await;
    until("all are sent", || ledger.at("sink") == 60).await;
    let mut kept = server.distinct();
    assert_eq!((status(&exports).dead, status(&exports).sent, kept.len()), (0, 60, 60));
    // Those of one consumer came in order.
    for parity in 0..2 {
        let of_one = |number: &usize| number % 2 == parity;
        let expected: Vec<String> = (0..60).filter(of_one).map(id).collect();
        let found: Vec<String> = kept.iter().filter(|id| expected.contains(id)).cloned().collect();
        assert_eq!(found, expected);
    }
    kept.sort();
    kept.dedup();
    assert_eq!(kept.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn stripe_gets_as_many_at_once_as_there_are_customers_up_to_a_bound() {
    for (customers, most) in [(1, 1), (4, 4), (50, 16)] {
        let ledger = Ledger::with(0);
        for number in 0..100 {
            let mut event = event(number);
            event.consumer = format!("c{}", number % customers).into();
            ledger.add([event]);
        }
        let server = Server::start(|_, _| answer(200)).await;
        let _exports = run(&ledger, to(&server, HttpFormat::Stripe)).await;
        until("all are sent", || ledger.at("sink") == 100).await;
        assert_eq!((server.most_open(), server.requests().len()), (most, 100));
    }
}

#[tokio::test(start_paused = true)]
async fn stripe_is_not_asked_for_what_it_does_not_take() {
    let ledger = Ledger::with(2);
    let mut old = event(2);
    old.at -= jiff::SignedDuration::from_hours(36 * 24);
    ledger.add([old]);
    let server = Server::start(|_, _| answer(200)).await;
    let exports = run(&ledger, to(&server, HttpFormat::Stripe)).await;
    until("the others are sent", || ledger.at("sink") == 3).await;
    assert_eq!((server.kept(), status(&exports).dead), (vec![id(0), id(1)], 1));
    assert!(status(&exports).last_error.unwrap().1.contains("35 days"));
}

#[tokio::test(start_paused = true)]
async fn a_new_stripe_sink_passes_over_what_is_too_old_at_once() {
    let ledger = Ledger::with(0);
    for number in 0..5000 {
        let mut event = event(number);
        event.at -= jiff::SignedDuration::from_hours(36 * 24);
        if number % 2 == 0 {
            event.meter = "gone".into();
        }
        ledger.add([event]);
    }
    ledger.add([event(5000)]);
    let server = Server::start(|_, _| answer(200)).await;
    let (exports, begun) = (run(&ledger, to(&server, HttpFormat::Stripe)).await, tokio::time::Instant::now());
    until("it has caught up", || ledger.at("sink") == 5001).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!((server.kept(), status(&exports).dead, status(&exports).failed), (vec![id(5000)], 5000, 0));
}

#[tokio::test(start_paused = true)]
async fn no_key_for_which_stripe_may_have_kept_an_error_is_used_again_after_a_restart() {
    let ledger = Ledger::with(1);
    let (mut answers, mut replayed) = (HashSet::new(), 0);
    // As Stripe: an answer is kept for its key, errors too. It is down for the first ten keys.
    let script = move |_, request: &Received| {
        let key = request.head.split("idempotency-key: ").nth(1).unwrap().lines().next().unwrap().to_owned();
        assert!(key.len() <= 255);
        if !answers.insert(key) {
            replayed += 1;
            assert!(replayed <= 1, "only the plain id may be asked for again");
            return answer(500);
        }
        answer(if answers.len() <= 10 { 500 } else { 200 })
    };
    let server = Server::start(script).await;
    let mut exports = run(&ledger, to(&server, HttpFormat::Stripe)).await;
    until("five have failed", || status(&exports).failed == 5).await;
    exports.stop().await;
    let _exports = run(&ledger, to(&server, HttpFormat::Stripe)).await;
    until("it is sent", || ledger.at("sink") == 1).await;
    // Five, the plain id again, five more, and the one that is taken.
    assert_eq!((server.requests().len(), server.kept()), (12, vec![id(0)]));
}
