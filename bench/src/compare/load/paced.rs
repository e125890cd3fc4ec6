//! A load of a fixed rate, to measure latency: requests are due at even times, whatever became of those before.
//!
//! Ours because h2load's `--rps` takes the time of a request from when it was sent: one that had to wait until its
//! connection was free seems quick. Here the time counts from when the request was due (no coordinated omission).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;

use super::answer::{self, Answer};
use super::{CONNECTIONS, Request};

/// What became of the requests of one run.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    times: Vec<Duration>,
    /// How many were due, and how many were answered within the run.
    pub(crate) due: u64,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
}

impl Latencies {
    fn of(mut times: Vec<Duration>, due: u64, answered: u64, failed: u64) -> Self {
        times.sort_unstable();
        Self { times, due, answered, failed }
    }

    /// The time within which so many of a hundred were answered.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.times.len() as f64 * percent / 100.0).ceil() as usize;
        self.times.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// Whether the proxy answered what was asked of it, but for what was under way at the end.
    pub(crate) fn held(&self) -> bool {
        self.answered as f64 >= self.due as f64 * 0.98
    }
}

/// A connection and the request on it.
struct Client {
    stream: TcpStream,
    /// When the request on it was due.
    due: Option<Instant>,
    buffer: Vec<u8>,
}

/// Sends `rate` requests a second over 64 connections.
pub(crate) fn run(address: SocketAddr, requests: &[Request], rate: f64, time: Duration) -> Result<Latencies> {
    // The system may round the ends of waits up by this much: 50 microseconds, unless asked for less.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
    let bytes: Vec<Vec<u8>> = requests.iter().map(Request::bytes).collect();
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        clients.push(Client { stream, due: None, buffer: Vec::new() });
    }

    let start = Instant::now();
    let end = start + time;
    let due_at = |number: u64| start + Duration::from_secs_f64(number as f64 / rate);
    let mut free: VecDeque<usize> = (0..CONNECTIONS).collect();
    let (mut sent, mut answered, mut failed) = (0, 0, 0);
    let mut times = Vec::new();
    let mut events = Vec::with_capacity(CONNECTIONS);
    let mut now = start;
    while now < end {
        while due_at(sent) <= now
            && let Some(number) = free.pop_front()
        {
            let client = &mut clients[number];
            client.due = Some(due_at(sent));
            let at = usize::try_from(sent)? % bytes.len();
            // So little always fits into the socket's buffer.
            client.stream.write_all(&bytes[at]).context("the proxy closed a connection")?;
            sent += 1;
        }
        let until = if free.is_empty() { end } else { due_at(sent).min(end) };
        let wait = until.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: i64::try_from(wait.as_secs())?, tv_nsec: wait.subsec_nanos().into() };
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        now = Instant::now();
        for event in &events {
            let number = usize::try_from(event.data.u64())?;
            let client = &mut clients[number];
            match client.read()? {
                Answer::Partial => continue,
                Answer::Whole { good } => {
                    answered += 1;
                    failed += u64::from(!good);
                    times.extend(client.due.take().map(|due| now - due));
                    free.push_back(number);
                }
            }
        }
    }
    // What was due and has no answer has waited at least until now; leaving it out would flatter the slow.
    times
        .extend(clients.iter().filter_map(|client| client.due).map(|due| end.saturating_duration_since(due)));
    let due = (time.as_secs_f64() * rate) as u64;
    times.extend((sent..due).map(|number| end.saturating_duration_since(due_at(number))));
    Ok(Latencies::of(times, due, answered, failed))
}

impl Client {
    fn read(&mut self) -> Result<Answer> {
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => anyhow::bail!("the proxy closed a connection"),
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Answer::Partial),
                Err(error) => return Err(error.into()),
            }
            let answer = answer::look(&self.buffer);
            if answer != Answer::Partial {
                self.buffer.clear();
                return Ok(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Latencies};

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let latencies = Latencies::of((1..=200).rev().map(Duration::from_millis).collect(), 200, 200, 0);
        assert_eq!(latencies.percentile(50.0), Duration::from_millis(100));
        assert_eq!(latencies.percentile(99.0), Duration::from_millis(198));
        assert_eq!(latencies.percentile(100.0), Duration::from_millis(200));
        assert_eq!(Latencies::default().percentile(50.0), Duration::ZERO);
    }

    #[test]
    fn a_rate_is_held_if_nearly_all_was_answered() {
        assert!(Latencies::of(Vec::new(), 1000, 985, 0).held());
        assert!(!Latencies::of(Vec::new(), 1000, 900, 0).held());
    }
}
