//! A steady request beside whatever a test does, which must never fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::client::{Connection, Response};
use super::wait;

/// Sends one request after the other on one connection until it is finished.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Probe {
    /// Expects 200 for every `GET path`.
    pub(crate) fn start(address: SocketAddr, path: &str) -> Self {
        Self::checking(address, path, |response| {
            (response.status != 200).then(|| format!("status {}: {}", response.status, response.text()))
        })
    }

    /// Expects of every response that `complaint` has none.
    pub(crate) fn checking(
        address: SocketAddr,
        path: &str,
        complaint: impl Fn(&Response) -> Option<String> + Send + 'static,
    ) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let path = path.to_owned();
        let thread = {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || {
                let mut failures = Vec::new();
                let mut connection = None;
                while !stop.load(Ordering::Relaxed) {
                    let failure = ask(&mut connection, address, &path, &complaint);
                    if let Some(failure) = failure {
                        failures.push(failure);
                        connection = None;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                    wait::pause(Duration::from_millis(1));
                }
                failures
            })
        };
        let probe = Self { stop, sent, thread: Some(thread) };
        probe.wait_for_more(3);
        probe
    }

    /// Waits until so many more requests were answered.
    #[track_caller]
    pub(crate) fn wait_for_more(&self, count: usize) {
        let start = self.sent.load(Ordering::Relaxed);
        wait::until("the probe goes on", || self.sent.load(Ordering::Relaxed) >= start + count);
    }

    /// Stops; asserts that nothing failed.
    #[track_caller]
    pub(crate) fn finish(mut self) -> usize {
        self.wait_for_more(3);
        self.stop.store(true, Ordering::Relaxed);
        let failures =
            self.thread.take().map(|thread| thread.join().expect("the probe runs")).unwrap_or_default();
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(
            failures.is_empty(),
            "{} of {sent} probes failed, the first: {}",
            failures.len(),
            failures[0]
        );
        sent
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    path: &str,
    complaint: &impl Fn(&Response) -> Option<String>,
) -> Option<String> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => match Connection::try_open(address) {
            Ok(open) => open,
            Err(error) => return Some(format!("no connection: {error}")),
        },
    };
    match open.try_get(path) {
        Ok(response) => {
            if response.header("connection") != Some("close") {
                *connection = Some(open);
            }
            complaint(&response)
        }
        Err(error) => Some(format!("no response: {error}")),
    }
}
