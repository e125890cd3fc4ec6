//! Limits of a plugin, each broken by the guest that breaks it.

use std::time::{Duration, Instant};

use crate::harness::{Gateway, Origin, Probe, Setup, config, guest};

fn start(name: &str, more: &str) -> Gateway {
    let text = config::plugin(name, more) + &config::service(Origin::echo(), &[name]);
    Setup::new().plugin(name, guest(name)).start(&text)
}

/// Misbehaves once and gives the last fault that `/snapshot` tells of.
#[track_caller]
fn fault(gateway: &Gateway, method: &str, body: &[u8]) -> serde_json::Value {
    let answer = gateway.connect().request(method, "/", &[("x-misbehave", "1")], body);
    answer.problem(500);
    crate::harness::wait::until_some("/snapshot tells of the fault", || {
        let faults = gateway.snapshot()["plugins"][0]["faults"].clone();
        (faults["count"].as_u64() > Some(0)).then(|| faults["last"].clone())
    })
}

#[test]
fn time_per_call() {
    for limit in [5, 100] {
        let gateway = start(
            "endless-loop",
            &format!("limits = {{ time = \"{limit}ms\", exchange_time = \"1s\" }}\ncircuit = \"off\""),
        );
        gateway.get("/").expect(200);
        let begin = gateway.cpu_time();
        assert_eq!(fault(&gateway, "GET", b"")["kind"], "deadline");
        let used = gateway.cpu_time().saturating_sub(begin);
        assert!(used < Duration::from_millis(limit + 300), "{used:?} for a limit of {limit} ms");
    }
}

#[test]
fn time_per_exchange() {
    // Each call stays under its own limit, but not all of them together.
    let text = config::plugin("slow-pieces", "limits = { time = \"100ms\", exchange_time = \"150ms\" }")
        + &config::service(Origin::echo(), &["slow-pieces"]);
    let gateway = Setup::new().plugin("slow-pieces", guest("slow-pieces")).start(&text);
    gateway.connect().request("POST", "/", &[], b"").expect(200);
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..20 {
        if client.try_send(format!("{:x}\r\n{}\r\n", 1000, "x".repeat(1000))).is_err() {
            break;
        }
        crate::harness::wait::pause(Duration::from_millis(20));
    }
    let _ = client.try_send("0\r\n\r\n");
    let refused = client.try_read("POST");
    assert!(!matches!(&refused, Ok(answer) if answer.status == 200), "{refused:?}");
    gateway.wait_for_log(&["slow-pieces", "deadline"]);
}

#[test]
fn memory_and_tables() {
    for (name, limits, kind) in [
        ("memory-bomb", "memory = \"1MiB\"", "memory"),
        ("hoard", "memory = \"8MiB\"", "memory"),
        ("table-growth", "table = 5000", "table"),
        ("recursion", "stack = \"256KiB\"", "stack"),
    ] {
        let gateway =
            start(name, &format!("limits = {{ {limits}, time = \"500ms\", exchange_time = \"1s\" }}"));
        gateway.get("/").expect(200);
        assert_eq!(fault(&gateway, "GET", b"")["kind"], kind, "{name}");
        gateway.get("/").expect(200);
    }
}

#[test]
fn output() {
    for (name, more, kind) in [
        ("huge-header", "", "failed"),
        ("many-headers", "limits = { headers = \"1KiB\" }", "failed"),
        ("huge-log", "capabilities = [\"log\"]", "log-bytes"),
        ("many-host-calls", "limits = { host_calls = 100 }", "host-calls"),
        ("bad-answer", "", "bad-output"),
        ("empty-answer", "", "bad-output"),
        ("malformed-answer", "", "refused-call"),
    ] {
        let gateway = start(name, more);
        gateway.get("/").expect(200);
        assert_eq!(fault(&gateway, "GET", b"")["kind"], kind, "{name}");
    }
    let gateway = start("huge-body", "limits = { body = \"1MiB\" }");
    assert_eq!(fault(&gateway, "POST", b"body")["kind"], "failed");
}

#[test]
fn bulk_operations_at_the_memory_cap_hold_nobody_up_for_long() {
    let gateway = start("memory-fill", "");
    let probe = Probe::start(gateway.public, "/");
    let begin = Instant::now();
    for _ in 0..10 {
        assert_eq!(fault(&gateway, "GET", b"")["kind"], "deadline");
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?} for ten", begin.elapsed());
    probe.finish();
}

#[test]
fn an_answer_is_held_to_the_body_limit_problem_documents_too() {
    let gateway = start("answer", "");
    let memory = gateway.memory();
    for _ in 0..10 {
        gateway.get_with("/", &[("x-answer", "huge")]).problem(500);
    }
    assert!(gateway.memory() < memory + (64 << 20), "the host held what it refused");
    gateway.get_with("/", &[("x-answer", "problem")]).problem(403);
}
