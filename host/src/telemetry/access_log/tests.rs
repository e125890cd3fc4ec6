//! Lines against a JSON parser; the way from worker to file.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::{Strategy, any, proptest};
use proptest::{option, prop_assert, prop_assert_eq};
use serde_json::Value;

use super::writer::Writer;
use super::{AccessLog, Entry, FULL, WAITING, rfc3339};
use crate::config;
use crate::telemetry::Metrics;

const LONG: Duration = Duration::from_secs(30);

fn entry(path: &str) -> Entry<'_> {
    Entry {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_007),
        request_id: "01",
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: "GET",
        host: "api.shop.example",
        path,
        route: Some("orders"),
        upstream: Some("orders"),
        status: 200,
        request_bytes: 0,
        response_bytes: 12,
        duration: Duration::from_nanos(1_234_567),
        failure: None,
        step: None,
        consumer: Some("acme"),
    }
}

fn line(entry: &Entry<'_>) -> String {
    let mut line = Vec::new();
    entry.write_to(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn a_line_looks_like_this() {
    let expected = concat!(
        r#"{"time":"2026-09-21T14:13:20.007Z","request_id":"01","client":"127.0.0.1","method":"GET","#,
        r#""host":"api.shop.example","path":"/a","route":"orders","upstream":"orders","status":200,"#,
        r#""request_bytes":0,"response_bytes":12,"duration_ms":1.234,"consumer":"acme"}"#,
        "\n",
    );
    assert_eq!(line(&entry("/a")), expected);
}

proptest! {
    #[test]
    fn every_line_is_json_that_says_what_was_given(
        (request_id, method, host, path) in (any::<String>(), any::<String>(), any::<String>(), any::<String>()),
        (route, upstream) in (option::of(any::<String>()), option::of(any::<String>())),
        (failure, step, consumer) in (option::of("\\PC*"), option::of(any::<String>()), option::of("[\\x00-\\x7f]*")),
        (client, status) in (any::<IpAddr>(), any::<u16>()),
        (request_bytes, response_bytes, nanos) in (any::<u64>(), any::<u64>(), any::<u64>()),
    ) {
        let entry = Entry {
            request_id: &request_id, client, method: &method, host: &host, path: &path, route: route.as_deref(),
            upstream: upstream.as_deref(), status, request_bytes, response_bytes,
            duration: Duration::from_nanos(nanos), failure: failure.as_deref(), step: step.as_deref(),
            consumer: consumer.as_deref(), ..entry("")
        };
        let line = line(&entry);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1), "one line");
        let json: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&json["client"], &Value::from(client.to_string()));
        for (key, expected) in [("request_id", request_id), ("method", method), ("host", host), ("path", path)] {
            prop_assert_eq!(&json[key], &Value::from(expected));
        }
        let optional = [("route", route), ("upstream", upstream), ("failure", failure), ("step", step), ("consumer", consumer)];
        for (key, expected) in optional {
            prop_assert_eq!(json.get(key).cloned(), expected.map(Value::from));
        }
        let numbers = [("status", status.into()), ("request_bytes", request_bytes), ("response_bytes", response_bytes)];
        for (key, expected) in numbers {
            prop_assert_eq!(&json[key], &Value::from(expected));
        }
        let duration = json["duration_ms"].as_f64().unwrap();
        let expected = (nanos / 1000) as f64 / 1000.0;
        prop_assert!((duration - expected).abs() <= expected * 1e-12, "{duration} {expected}");
    }

    #[test]
    fn times_are_what_the_calendar_says(day in 0_u64..200_000, ms in 0_u64..86_400_000) {
        // The calendar walked year by year and month by month.
        let (mut year, mut left) = (1970, day);
        let leap = |year: u64| if year.is_multiple_of(100) { year.is_multiple_of(400) } else { year.is_multiple_of(4) };
        while left >= 365 + u64::from(leap(year)) {
            left -= 365 + u64::from(leap(year));
            year += 1;
        }
        let mut month = 1;
        for days in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if left < days {
                break;
            }
            left -= days;
            month += 1;
        }
        let (seconds, millis) = (ms / 1000, ms % 1000);
        let clock = format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(day * 86_400_000 + ms);
        let expected = format!("{year:04}-{month:02}-{:02}T{clock}Z", left + 1);
        prop_assert_eq!(rfc3339(time), &*expected);
        let line = line(&Entry { time, ..entry("/") });
        prop_assert!(line.starts_with(&format!("{{\"time\":\"{expected}\",")), "{line}");
    }
}

fn some_lines() -> impl Strategy<Value = usize> {
    1_usize..3000
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(10))]
    #[test]
    fn what_workers_write_arrives_whole_and_in_order(counts in proptest::collection::vec(some_lines(), 1..4)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let metrics = Metrics::new();
        let log = AccessLog::start(&config::AccessLog::File(path.clone()), &metrics).unwrap();
        std::thread::scope(|scope| {
            for (worker, &count) in counts.iter().enumerate() {
                let log = &log;
                scope.spawn(move || {
                    let buffer = log.worker();
                    for number in 0..count {
                        buffer.write(&entry(&format!("/{worker}/{number}")));
                    }
                });
            }
        });
        log.finish(LONG);
        let text = fs::read_to_string(path).unwrap();
        let mut next = vec![0; counts.len()];
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let (worker, number) = line["path"].as_str().unwrap()[1..].split_once('/').unwrap();
            let next = &mut next[worker.parse::<usize>().unwrap()];
            prop_assert_eq!(number.parse::<usize>().unwrap(), *next);
            *next += 1;
        }
        prop_assert_eq!(next, counts);
        prop_assert!(metrics.render().contains("\nsluice_access_log_dropped_total 0\n"));
    }
}

#[test]
fn a_log_that_is_off_takes_nothing() {
    let log = AccessLog::start(&config::AccessLog::Off, &Metrics::new()).unwrap();
    let buffer = log.worker();
    assert!(!buffer.is_on());
    buffer.write(&entry("/"));
    assert_eq!(buffer.lines.borrow().count, 0);
    log.finish(LONG);
}

#[test]
fn a_file_that_cannot_be_opened_is_said_at_once() {
    let path = Path::new("/proc/there/is/no/such/directory").to_owned();
    assert!(AccessLog::start(&config::AccessLog::File(path), &Metrics::new()).is_err());
}

#[test]
fn lines_are_flushed_without_traffic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let log = AccessLog::start(&config::AccessLog::File(path.clone()), &Metrics::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let buffer = Rc::new(log.worker());
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::task::spawn_local(Rc::clone(&buffer).keep_flushed());
        tokio::task::yield_now().await;
        buffer.write(&entry("/quiet"));
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if fs::read_to_string(&path).unwrap().contains("/quiet") {
                return;
            }
        }
        panic!("the line did not come");
    });
}

/// Takes nothing while it is locked, as a pipe that nobody reads.
#[derive(Clone, Default)]
struct Stuck(Arc<Mutex<Vec<u8>>>);

impl Stuck {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap()
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_reader_costs_lines_but_never_time() {
    let stuck = Stuck::default();
    let metrics = Metrics::new();
    let log = AccessLog::start_with(Writer::new(Box::new(stuck.clone())), &metrics).unwrap();
    let buffer = log.worker();
    let path = "/x".repeat(FULL / 2);
    let lines = WAITING + 40;
    {
        let _nobody_reads = stuck.bytes();
        for _ in 0..lines {
            buffer.write(&entry(&path));
        }
    }
    drop(buffer);
    log.finish(LONG);
    let written = stuck.bytes().iter().filter(|&&byte| byte == b'\n').count();
    assert!((WAITING..=WAITING + 1).contains(&written), "{written}");
    let dropped = format!("\nsluice_access_log_dropped_total {}\n", lines - written);
    assert!(metrics.render().contains(&dropped), "{dropped}");
}

#[test]
fn finishing_gives_up_on_a_stuck_reader() {
    let stuck = Stuck::default();
    let log = AccessLog::start_with(Writer::new(Box::new(stuck.clone())), &Metrics::new()).unwrap();
    let _nobody_reads = stuck.bytes();
    log.worker().write(&entry("/"));
    log.finish(Duration::from_millis(20));
}

#[test]
fn a_rotated_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let rotated = directory.path().join("access.log.1");
    let mut writer = Writer::file(&path).unwrap();
    let start = Instant::now();
    assert!(writer.write(b"1\n", start));
    fs::rename(&path, &rotated).unwrap();
    assert!(writer.write(b"2\n", start + Duration::from_millis(10)));
    assert!(writer.write(b"3\n", start + Duration::from_secs(2)));
    fs::remove_file(&path).unwrap();
    assert!(writer.write(b"4\n", start + Duration::from_secs(4)));
    assert_eq!(fs::read_to_string(rotated).unwrap(), "1\n2\n");
    assert_eq!(fs::read_to_string(path).unwrap(), "4\n");
}
