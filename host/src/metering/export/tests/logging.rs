//! What is in the log: each trouble once, and every event that is given up.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::subscriber::DefaultGuard;

use super::ledger::{Ledger, event, id};
use super::server::{Received, Server, answer};
use super::{run, sink, status, until};
use crate::metering::export::Sink;

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Until the guard is dropped.
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_and_late_is_told_of_once() {
    let (log, _guard) = Log::begin();
    let ledger = Ledger::with(3);
    let mut server = Server::start(|_, _| answer(200)).await;
    server.go_down();
    let exports = run(&ledger, Sink { lag_alarm: Duration::from_secs(3700), ..sink(&server.url()) }).await;
    until("it lags", || status(&exports).late).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    server.come_up().await;
    until("it has caught up", || ledger.at("sink") == 3 && !status(&exports).late).await;
    assert!(status(&exports).failed > 10);
    let told = log.lines("cannot be exported");
    assert!(told.len() == 1 && told[0].contains("WARN") && told[0].contains("cannot connect"), "{told:?}");
    let late = log.lines("lags behind");
    assert!(late.len() == 1 && late[0].contains("ERROR") && late[0].contains("events=3"), "{late:?}");
    assert_eq!(log.lines("has caught up").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_event_that_is_given_up_is_told_of() {
    let (log, _guard) = Log::begin();
    let ledger = Ledger::with(0);
    for number in 0..20 {
        let mut event = event(number);
        event.dimensions = vec![("model".into(), format!("m{number}").into())];
        ledger.add([event]);
    }
    let bad = [id(3), id(11)];
    let refuses = move |_, request: &Received| {
        answer(if request.ids().iter().any(|id| bad.contains(id)) { 422 } else { 200 })
    };
    let server = Server::start(refuses).await;
    let _exports = run(&ledger, sink(&server.url())).await;
    until("the others are sent", || ledger.at("sink") == 20).await;
    let told = log.lines("refused for good");
    assert_eq!(told.len(), 2);
    for (line, number) in told.iter().zip([3, 11]) {
        for part in [format!("id=\"{}\"", id(number)), format!("units={number}"), format!("\"m{number}\"")] {
            assert!(line.contains(&part), "{line}: {part}");
        }
        assert!(
            line.contains("ERROR") && line.contains("consumer=\"acme\"") && line.contains("it answers 422")
        );
    }
}
