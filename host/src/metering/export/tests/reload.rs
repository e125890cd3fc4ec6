//! What a reload changes, and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::{Ledger, event, id};
use super::server::{Act, Server, answer};
use super::{means, sink, until};
use crate::metering::export::{Exports, Sink};

fn named(name: &str, server: &Server) -> Sink {
    Sink { name: name.into(), ..sink(&server.url()) }
}

#[tokio::test(start_paused = true)]
async fn sinks_stay_change_come_and_go() {
    let ledger = Ledger::with(10);
    let server = |_| Server::start(|_, _| answer(200));
    let (stays, before, after, goes, comes) =
        (server(()).await, server(()).await, server(()).await, server(()).await, server(()).await);
    let mut exports = Exports::new(Arc::clone(&ledger));
    let old = vec![named("stays", &stays), named("changes", &before), named("goes", &goes)];
    exports.apply(old, &means()).await;
    until("all are sent", || ["stays", "changes", "goes"].iter().all(|sink| ledger.at(sink) == 10)).await;
    let status = |exports: &Exports<Ledger>, sink: &str| {
        Arc::clone(exports.statuses().find(|(name, _)| &***name == sink).unwrap().1)
    };
    let (unmoved, changed) = (status(&exports, "stays"), status(&exports, "changes"));
    let new = vec![named("stays", &stays), named("changes", &after), named("comes", &comes)];
    exports.apply(new, &means()).await;
    ledger.add((10..20).map(event));
    until("all are sent", || ["stays", "changes", "comes"].iter().all(|sink| ledger.at(sink) == 20)).await;
    let all: Vec<String> = (0..20).map(id).collect();
    assert_eq!((stays.kept(), comes.kept()), (all.clone(), all.clone()));
    assert_eq!((before.kept(), after.kept()), (all[..10].to_vec(), all[10..].to_vec()));
    assert_eq!((goes.kept().len(), ledger.at("goes")), (10, 10));
    // Counters do not begin anew.
    assert!(Arc::ptr_eq(&unmoved, &status(&exports, "stays")));
    assert!(Arc::ptr_eq(&changed, &status(&exports, "changes")));
    assert_eq!(changed.snapshot().sent, 20);
    assert_eq!(exports.statuses().count(), 3);
    exports.stop().await;
    ledger.add((20..30).map(event));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((ledger.at("stays"), exports.statuses().count()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_holds_up_no_reload() {
    let ledger = Ledger::with(10);
    let hangs = Server::start(|_, _| Act::Late(Duration::from_secs(1_000_000))).await;
    let works = Server::start(|_, _| answer(200)).await;
    let mut exports = Exports::new(Arc::clone(&ledger));
    let patient = Sink { timeout: Duration::from_secs(1_000), ..named("sink", &hangs) };
    exports.apply(vec![patient], &means()).await;
    until("it was asked", || hangs.requests().len() == 1).await;
    let begun = tokio::time::Instant::now();
    exports.apply(vec![named("sink", &works)], &means()).await;
    until("all are sent", || ledger.at("sink") == 10).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(works.kept().len(), 10);
}
