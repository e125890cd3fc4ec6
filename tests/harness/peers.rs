//! Programs of others, in Python and Node.js: the servers and clients of `tests/protocol-peers`.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

use super::root;
use super::wait::DEADLINE;

/// One that runs until this is dropped. Its stdin stays open until then, and its lines are kept.
pub(crate) struct Program {
    process: Child,
    lines: Mutex<Receiver<String>>,
    /// What it wrote to stderr.
    complaints: Arc<Mutex<Vec<String>>>,
}

/// A program in Python.
pub(crate) fn python(name: &str) -> Command {
    let mut command = Command::new(root().join("target/protocol-peers/python/bin/python"));
    // The repository is no place for compiled code.
    command.arg(root().join("tests/protocol-peers").join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A program for Node.js. It looks for modules where it seems to lie.
pub(crate) fn node(name: &str) -> Command {
    let mut command = Command::new("node");
    command.args(["--preserve-symlinks", "--preserve-symlinks-main"]);
    command.arg(root().join("target/protocol-peers/programs").join(name));
    command
}

/// Runs a client to its end: the lines of JSON that it prints.
#[track_caller]
pub(crate) fn run(command: Command) -> Vec<Value> {
    let mut program = Program::start(command);
    let lines: Vec<_> = std::iter::from_fn(|| program.line()).collect();
    let status = program.process.wait().expect("our child");
    assert!(status.success(), "the client ended with {status} after\n{}", lines.join("\n"));
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The line of a call among those of [`run`].
#[track_caller]
pub(crate) fn call<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    lines.iter().find(|line| line["call"] == name).unwrap_or_else(|| panic!("no {name} in {lines:#?}"))
}

impl Program {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| {
            panic!("{}: {error}\n\nhint: `cargo xtask test` installs it", command.get_program().display())
        });
        let (sender, lines) = mpsc::channel();
        // Nobody listens any more if the test is over.
        read(process.stdout.take().expect("it is piped"), move |line| drop(sender.send(line)));
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&complaints);
        read(process.stderr.take().expect("it is piped"), move |line| lock(&kept).push(line));
        Self { process, lines: Mutex::new(lines), complaints }
    }

    /// Where it listens, which it says first.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line().expect("it says where it listens");
        line.strip_prefix("listening on ").expect(&line).parse().expect(&line)
    }

    /// Waits until it prints this line.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &str) {
        while let Some(printed) = self.line() {
            if printed == line {
                return;
            }
        }
        panic!("it ended without `{line}`");
    }

    /// The next line; none if it has ended.
    #[track_caller]
    pub(crate) fn line(&self) -> Option<String> {
        match lock(&self.lines).recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was said for {DEADLINE:?}"),
        }
    }
}

/// Gives each line to `tell`, until there are none.
fn read(output: impl Read + Send + 'static, tell: impl Fn(String) + Send + 'static) {
    thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(tell);
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Program {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- what the program complained of\n{}\n---", lock(&self.complaints).join("\n"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
