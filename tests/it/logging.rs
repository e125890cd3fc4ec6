//! The gateway's log: what plugins can and cannot do to it, and a reader that does not read.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use crate::harness::guests::assemble;
use crate::harness::{Connection, Gateway, Origin, Setup, config, ports, setup, wait};

/// A plugin that logs `lines` lines of this text per marked request.
fn talker(lines: u32, text: &str) -> Vec<u8> {
    let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    assemble(
        &format!(
            r#"
        ;;! phases request
        ;;! capabilities log
        (import "sluice:v1/log" "write" (func $log (param i32 i32 i32) (result i32)))
        (func (export "sluice_v1_request") (result i32)
          (local $left i32)
          (if (call $misbehaves (i32.const 0)) (then
            (local.set $left (i32.const {lines}))
            (loop $more
              (drop (call $log (i32.const 2) (i32.const 20000) (i32.const {length})))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $more (local.get $left)))))
          (i32.const 0))
        (data (i32.const 20000) "{bytes}")
        "#,
            length = text.len(),
        )
        .lines()
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\n"),
    )
}

fn configured(limits: &str) -> String {
    config::plugin("talker", &format!("capabilities = [\"log\"]\nlimits = {{ {limits} }}"))
        + &config::service(Origin::echo(), &["talker"])
}

fn start(plugin: Vec<u8>) -> Gateway {
    Setup::new()
        .plugin("talker", plugin)
        .start(&configured("log = \"16KiB\", time = \"500ms\", exchange_time = \"1s\""))
}

const MARK: &[(&str, &str)] = &[("x-misbehave", "1")];

#[test]
fn a_plugin_writes_one_line_at_a_time() {
    let gateway = start(talker(1, "said\n2026-09-21T14:13:20.007123Z ERROR forged\r\u{1b}[31m"));
    gateway.get_with("/", MARK).expect(200);
    let line = gateway.wait_for_log(&["forged"]);
    assert!(line.contains(r"said\n2026-09-21T14:13:20.007123Z ERROR forged\u{d}\u{1b}[31m"), "{line}");
    assert!(line.contains("talker"), "{line}");
}

#[test]
fn a_long_line_is_cut() {
    let gateway = start(talker(1, &"word ".repeat(2000)));
    gateway.get_with("/", MARK).expect(200);
    let line = gateway.wait_for_log(&["[cut: it had 10000 bytes]"]);
    assert!(line.len() < 4096 + 200, "{} bytes", line.len());
}

#[test]
fn empty_lines_are_not_free() {
    start(talker(256, "")).get_with("/", MARK).expect(200);
    let gateway = start(talker(257, ""));
    gateway.get_with("/", MARK).problem(500);
    gateway.wait_for_log(&["plugin fault", "log-bytes"]);
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_reader_that_does_not_read_costs_lines_but_no_time() {
    let (public, admin) = (ports::free(), ports::free());
    let text = setup::complete(&configured("log = \"1MiB\", time = \"500ms\", exchange_time = \"1s\""))
        .replace("@public@", &public.to_string())
        .replace("@admin@", &admin.to_string());
    let setup = Setup::new().plugin("talker", talker(500, &"x".repeat(200))).file("gateway.toml", text);
    let mut command = setup.command(&["run", "--config", "gateway.toml"]);
    let mut gateway = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    wait::until("the gateway is ready", || {
        let answer = Connection::try_open(admin).and_then(|mut connection| connection.try_get("/readyz"));
        answer.is_ok_and(|answer| answer.status == 200)
    });
    let dropped = || {
        let page = Connection::open(admin).get("/metrics").expect(200).text();
        let line = page.lines().find_map(|line| line.strip_prefix("sluice_log_dropped_total "));
        line.unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(dropped(), 0.0);

    // Nobody reads its standard error. Far more lines than the pipe and the queue hold:
    let mut client = Connection::open(public);
    for _ in 0..40 {
        client.request("GET", "/", MARK, b"").expect(200);
    }
    let lost = dropped();
    assert!(lost > 0.0);
    Connection::open(public).get("/").expect(200);

    // Now somebody does.
    let mut stderr = gateway.0.stderr.take().unwrap();
    let asked =
        Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &gateway.0.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    let told: f64 = log
        .lines()
        .filter(|line| line.contains("log lines were lost"))
        .map(|line| line.rsplit_once(" lost=").unwrap().1.parse::<f64>().unwrap())
        .sum();
    // Of what it says when it stops, something may be lost as well.
    assert!((lost..lost + 10.0).contains(&told), "{lost} were lost, the log says {told}");
    assert!(log.trim_end().ends_with("stopped"), "the last lines come out");
}
