//! Promises of the exports, kept against sinks that behave badly.

mod chaos;
mod files;
mod ledger;
mod logging;
mod messages;
#[path = "../../../../tests/harness/nats.rs"]
mod nats_server;
#[allow(clippy::duplicate_mod, reason = "the tests of the store have it too")]
#[path = "../../../../tests/harness/ports.rs"]
mod ports;
mod reload;
mod server;
mod strange;
mod suspects;
mod systems;
mod trouble;
#[allow(clippy::duplicate_mod, dead_code, reason = "the tests of the store have it too, and need all of it")]
#[path = "../../../../tests/harness/wait.rs"]
mod wait;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::source::Source;
use super::{
    Clock, Directory, Exports, Http, HttpFormat, HttpTarget, Means, Measure, Secure, Sink, Snapshot, Target,
};
use crate::http_client::{Bounds, HttpClient};
use crate::tls::Connector;

/// When the tests take place.
pub(super) const START: &str = "2026-11-23T12:00:00Z";

/// The means of a gateway, with its own HTTP client and TLS that trusts `ca`. Its clock goes as tokio's does.
pub(super) fn means_with(ca: Option<&str>) -> Means {
    let client = Arc::new(HttpClient::new(ca.map(str::as_bytes)).unwrap());
    let http = Http::new(move |request: Request<Bytes>, time| {
        let client = Arc::clone(&client);
        async move {
            client.deliver(request, Bounds { time, body: 1 << 20 }).await.map_err(|error| error.to_string())
        }
    });
    let connector = Arc::new(Connector::unnamed(ca.map(str::as_bytes)).unwrap());
    let secure = Secure::new(move |host, stream| {
        let connector = Arc::clone(&connector);
        async move {
            connector.connect(&host, stream, Duration::from_secs(10)).await.map_err(std::io::Error::other)
        }
    });
    let directory = Directory::new(
        |meter| (meter != "gone").then_some(Measure { decimals: 0, unit: None }),
        |consumer| (consumer == "acme").then(|| Arc::from("cus_42")),
    );
    let begun = Instant::now();
    let clock = Clock::new(move || {
        let start: Timestamp = START.parse().unwrap();
        start + begun.elapsed()
    });
    Means { http, secure: Some(secure), directory, clock }
}

pub(super) fn means() -> Means {
    means_with(None)
}

/// A sink over HTTP with CloudEvents.
pub(super) fn sink(url: &str) -> Sink {
    sink_to(Target::Http(HttpTarget {
        url: url.parse::<Uri>().unwrap(),
        format: HttpFormat::CloudEvents,
        headers: Vec::new(),
    }))
}

pub(super) fn sink_to(target: Target) -> Sink {
    Sink {
        name: "sink".into(),
        target,
        meters: Vec::new(),
        batch: 100,
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(10),
        lag_alarm: Duration::from_secs(300),
    }
}

/// One sink that runs.
pub(super) async fn run<S: Source>(source: &Arc<S>, sink: Sink) -> Exports<S> {
    let mut exports = Exports::new(Arc::clone(source));
    exports.apply(vec![sink], &means()).await;
    exports
}

pub(super) fn status<S: Source>(exports: &Exports<S>) -> Snapshot {
    exports.statuses().next().unwrap().1.snapshot()
}

/// Waits until it holds: an hour at most of a clock that may be paused.
#[track_caller]
pub(super) fn until(what: &str, condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    within(what, Duration::from_secs(3600), condition)
}

#[track_caller]
pub(super) fn within(
    what: &str,
    most: Duration,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < most, "waited {most:?} in vain: {what} ({caller})");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
