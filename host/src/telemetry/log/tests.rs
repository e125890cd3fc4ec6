//! Lines as they look, the way they take, and what becomes of them when nobody reads.

use std::io::{self, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::queue::{Queue, WAITING};
use super::{LogError, init, line, subscriber};
use crate::config::{AccessLog, LogFormat, Telemetry};

const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines(log: &str, format: LogFormat) -> String {
    let captured = Captured::default();
    let settings = Telemetry { log: log.to_owned(), format, access_log: AccessLog::Off };
    let writer = captured.clone();
    let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(route = "orders", count = 3, "it \"happened\"");
        tracing::debug!("not shown");
    });
    String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn text_is_one_plain_line() {
    let text = lines("info", LogFormat::Text);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(" INFO it \"happened\" route=\"orders\" count=3"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn json_is_one_object_with_the_fields_in_it() {
    let line: serde_json::Value = serde_json::from_str(&lines("info", LogFormat::Json)).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"it \"happened\"".into()));
    assert_eq!((&line["route"], &line["count"]), (&"orders".into(), &3.into()));
}

#[test]
fn the_filter_is_kept_to_and_a_bad_one_is_named() {
    assert_eq!(lines("warn", LogFormat::Text), "");
    let settings =
        Telemetry { log: "sluice=loud".to_owned(), format: LogFormat::Text, access_log: AccessLog::Off };
    let Err(error) = subscriber(&settings, io::sink) else { panic!("it was taken") };
    assert!(matches!(error, LogError::Filter { .. }));
    assert!(error.to_string().starts_with("`sluice=loud` is not a log filter: "), "{error}");
}

/// A queue into memory, and its count of lost lines.
fn queue(format: LogFormat) -> (Queue, Captured, &'static AtomicU64) {
    let (captured, lost) = (Captured::default(), Box::leak(Box::default()));
    (Queue::start(format, captured.clone(), lost).unwrap(), captured, lost)
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn lines_arrive_in_order() {
    let (queue, captured, lost) = queue(LogFormat::Text);
    for number in 0..1000 {
        (&mut &queue).write_all(format!("line {number}\n").as_bytes()).unwrap();
    }
    assert!(queue.finish(LONG));
    let expected: String = (0..1000).map(|number| format!("line {number}\n")).collect();
    assert!(captured.text() == expected);
    assert_eq!(lost.load(Ordering::Relaxed), 0);
}

#[test]
fn a_stuck_reader_costs_lines_but_never_time() {
    const MORE: usize = 2000;
    for format in [LogFormat::Text, LogFormat::Json] {
        let (queue, captured, lost) = queue(format);
        {
            let _nobody_reads = captured.0.lock().unwrap();
            for _ in 0..WAITING + MORE {
                (&mut &queue).write_all(&[b"x".repeat(100), b"\n".to_vec()].concat()).unwrap();
            }
            queue.give_panic(b"a panic finds room\n");
            assert!(!queue.finish(Duration::from_millis(20)), "it gives up");
        }
        assert!(queue.finish(LONG));
        let text = captured.text();
        let written = text.lines().filter(|line| line.starts_with("xxx")).count();
        // The writer holds one round of them in its hands.
        assert!((WAITING..WAITING + MORE).contains(&written), "{written}");
        assert_eq!(lost.load(Ordering::Relaxed) as usize, WAITING + MORE - written);
        assert!(text.contains("a panic finds room\n"));
        let told: u64 = text
            .lines()
            .filter(|line| line.contains("log lines were lost"))
            .map(|line| match format {
                LogFormat::Text => line.rsplit_once(" lost=").unwrap().1.parse::<u64>().unwrap(),
                LogFormat::Json => {
                    serde_json::from_str::<serde_json::Value>(line).unwrap()["lost"].as_u64().unwrap()
                }
            })
            .sum();
        assert_eq!(told, lost.load(Ordering::Relaxed), "{text}");
    }
}

/// Refuses everything, as a pipe whose reader is gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_cannot_be_written_is_counted() {
    let lost: &AtomicU64 = Box::leak(Box::default());
    let queue = Queue::start(LogFormat::Text, Closed, lost).unwrap();
    for _ in 0..10 {
        (&mut &queue).write_all(b"line\n").unwrap();
    }
    assert!(queue.finish(LONG));
    assert_eq!(lost.load(Ordering::Relaxed), 10);
}

#[test]
fn values_cannot_forge_lines() {
    let forged = "x\n2026-09-21T14:13:20.007123Z ERROR forged\r\u{1b}[2K\u{9b}\u{7f}";
    for format in [LogFormat::Text, LogFormat::Json] {
        let (queue, captured, _) = queue(format);
        let settings = Telemetry { log: "info".to_owned(), format, access_log: AccessLog::Off };
        tracing::subscriber::with_default(subscriber(&settings, queue.clone()).unwrap(), || {
            tracing::info!(text = forged, error = %forged, "{forged}");
        });
        assert!(queue.finish(LONG));
        let text = captured.text();
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
        if format == LogFormat::Json {
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!([&line["message"], &line["error"]], [forged, forged]);
        }
        let begun = text.lines().filter(|line| !line.starts_with("    ")).count();
        assert_eq!(begun, 1, "{text}");
    }
}

proptest! {
    #[test]
    fn an_event_begins_one_line(event in any::<String>()) {
        let text = String::from_utf8(line::shielded(LogFormat::Text, event.as_bytes())).unwrap();
        let inside = text.strip_suffix('\n').unwrap();
        prop_assert!(inside.split('\n').skip(1).all(|line| line.starts_with("    ")));
        prop_assert!(!inside.chars().any(|character| character.is_control() && character != '\n'));
        if !event.chars().any(char::is_control) {
            prop_assert_eq!(inside, event);
        }
    }
}

#[test]
fn the_logs_own_lines_look_like_the_others() {
    let fields = [("lost", 3.into()), ("thread", "a \"b\"".into()), ("backtrace", "0: a\n1: b".into())];
    let text = String::from_utf8(line::own(LogFormat::Text, "WARN", "said", &fields)).unwrap();
    assert!(
        text.ends_with("Z  WARN said lost=3 thread=\"a \\\"b\\\"\" backtrace=\n    0: a\n    1: b\n"),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&line::own(LogFormat::Json, "WARN", "said", &fields)).unwrap();
    assert_eq!((&json["level"], &json["message"]), (&"WARN".into(), &"said".into()));
    assert_eq!((&json["lost"], &json["thread"]), (&3.into(), &"a \"b\"".into()));
    assert!(json["timestamp"].is_string());
}

/// How a process may end; the child's part of the test below, and nothing by itself.
#[test]
fn ending() {
    let Some(how) = std::env::var_os("SLUICE_TEST_ENDING") else { return };
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("the second one");
        }
    }
    let settings = Telemetry { log: "info".to_owned(), format: LogFormat::Text, access_log: AccessLog::Off };
    let guard = init(&settings).unwrap();
    tracing::info!("the first line");
    match how.to_str().unwrap() {
        "return" => {
            for _ in 0..1000 {
                tracing::info!("one of many");
            }
            tracing::info!("the last line");
            drop(guard);
        }
        "thread" => {
            let panicked = std::thread::Builder::new().name("worker-7".to_owned()).spawn(|| panic!("a\nb"));
            assert!(panicked.unwrap().join().is_err());
            tracing::info!("the last line");
            drop(guard);
        }
        "unwind" => panic!("the only one"),
        _ => {
            let _panics = PanicsInDrop;
            panic!("the first one");
        }
    }
}

/// What a process says that ends so.
fn ends(how: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["telemetry::log::tests::ending", "--exact", "--nocapture"])
        .env("SLUICE_TEST_ENDING", how)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_last_lines_come_out_however_a_process_ends() {
    let returned = ends("return");
    assert_eq!(returned.matches("one of many").count(), 1000);
    assert!(returned.contains("INFO the last line\n"), "{returned}");

    let thread = ends("thread");
    assert!(thread.contains("ERROR panic: a\n    b thread=\"worker-7\" location=\""), "{thread}");
    assert!(thread.contains("INFO the last line\n"), "{thread}");

    let unwound = ends("unwind");
    assert!(unwound.contains("INFO the first line\n"), "{unwound}");
    assert!(unwound.contains("ERROR panic: the only one thread="), "{unwound}");

    let aborted = ends("abort");
    for words in
        ["INFO the first line\n", "panic: the first one", "panic: the second one", "panic: panic in a "]
    {
        assert!(aborted.contains(words), "{words}: {aborted}");
    }
}
