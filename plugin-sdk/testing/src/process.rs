//! The compiled plugin in the real runtime: a conversation with `sluice plugin harness`.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sluice_abi::harness::{Answer, Ask};

use crate::harness::Partner;

/// A running `sluice plugin harness FILE`.
pub(crate) struct Process {
    command: String,
    child: Child,
    // `None` only once the conversation is over.
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(module: &OsStr) -> Self {
        let program = std::env::var_os("SLUICE_BIN").unwrap_or_else(|| OsString::from("sluice"));
        let command = format!("{} plugin harness {}", program.display(), module.display());
        let spawned = Command::new(&program)
            .args([OsStr::new("plugin"), OsStr::new("harness"), module])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("`{command}` cannot be run: {error}"));
        let asks = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("the child's output was asked for"));
        Self { command, child, asks, answers }
    }
}

impl Partner for Process {
    fn ask(&mut self, ask: Ask) -> Answer {
        let mut line = serde_json::to_string(&ask).expect("an ask can be written as JSON");
        line.push('\n');
        let asks = self.asks.as_mut().expect("the conversation goes on until this is dropped");
        // A harness that has ended is noticed by its missing answer.
        let _ = asks.write_all(line.as_bytes()).and_then(|()| asks.flush());
        let mut answer = String::new();
        match self.answers.read_line(&mut answer) {
            Ok(1..) => serde_json::from_str(&answer)
                .unwrap_or_else(|error| panic!("`{}` answered {answer:?}: {error}", self.command)),
            Ok(0) => panic!("`{}` ended without an answer to {}", self.command, line.trim_end()),
            Err(error) => panic!("`{}` cannot be read: {error}", self.command),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The harness ends with its input; it is waited for so that no test leaves a process behind.
        self.asks = None;
        let _ = self.child.wait();
    }
}
