//! A closed-loop load: so many connections, each with one exchange after the other, over HTTP/1.1 and HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::guests::mixed;
use crate::harness::h2::H2;
use crate::harness::{Connection, Response};

/// What a load has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// No answer, or another status than 200.
    pub(crate) failed: Vec<String>,
    /// Answered by more than one version.
    pub(crate) mixed: Vec<String>,
    times: Vec<Duration>,
}

impl Seen {
    fn note(&mut self, answer: io::Result<Response>, took: Duration) {
        self.requests += 1;
        self.times.push(took);
        match answer {
            Ok(response) if response.status == 200 => self.mixed.extend(mixed(&response)),
            Ok(response) => self.failed.push(format!("{}: {}", response.status, response.text())),
            Err(error) => self.failed.push(error.to_string()),
        }
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed.extend(other.failed);
        self.mixed.extend(other.mixed);
        self.times.extend(other.times);
    }

    /// The time within which so much of a hundred was answered, in milliseconds.
    pub(crate) fn percentile(&mut self, percent: f64) -> String {
        self.times.sort_unstable();
        format!("{:.2} ms", percentile(&self.times, percent).as_secs_f64() * 1000.0)
    }
}

/// The time within which so much of a hundred was answered.
pub(crate) fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    let at = ((sorted.len() as f64) * percent / 100.0) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A load that runs until it is finished.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Load {
    /// Starts `h1` connections of HTTP/1.1 and `h2` of HTTP/2 with four streams each.
    pub(crate) fn start(address: SocketAddr, h1: usize, h2: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let spawn = |serve: fn(SocketAddr, &AtomicBool) -> Seen| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || serve(address, &stop))
        };
        let threads = (0..h1).map(|_| spawn(over_h1)).chain((0..h2).map(|_| spawn(over_h2))).collect();
        Self { stop, threads }
    }

    pub(crate) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().fold(Seen::default(), |mut all, thread| {
            all.add(thread.join().expect("a client does not panic"));
            all
        })
    }
}

fn over_h1(address: SocketAddr, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    one_by_one(address, stop, |answer, took| seen.note(answer, took));
    seen
}

/// One exchange after the other over HTTP/1.1, until it is to stop.
pub(crate) fn one_by_one(
    address: SocketAddr,
    stop: &AtomicBool,
    mut note: impl FnMut(io::Result<Response>, Duration),
) {
    let mut connection = Connection::open(address);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let answer = connection.try_get("/");
        // A connection that the gateway closes by the rules is opened anew; a failure was counted.
        let reopen = answer.as_ref().map_or(true, |answer| answer.header("connection") == Some("close"));
        note(answer, start.elapsed());
        if reopen {
            connection = Connection::open(address);
        }
    }
}

fn over_h2(address: SocketAddr, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut connection = H2::open(address);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        for answer in connection.try_together(4, "/") {
            seen.note(answer, start.elapsed());
        }
    }
    seen
}
