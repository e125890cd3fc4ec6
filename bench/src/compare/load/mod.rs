//! Load: what is sent, and the generators that send it.

pub(crate) mod answer;
pub(crate) mod h2load;
pub(crate) mod paced;
pub(crate) mod wrk;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::Command;

/// Connections of a load.
pub(crate) const CONNECTIONS: usize = 64;

/// A load generator that, when it is woken, waits its turn behind the origin on their core, which never sleeps: no interrupt to
/// another core has to be sent for it. See `crate::origin`.
pub(crate) fn batch(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("chrt");
    command.args(["-b", "0"]).arg(program);
    command
}

/// One request to send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), ..Self::default() }
    }

    pub(crate) fn post(path: impl Into<String>, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { method: "POST", path: path.into(), headers, body: body.into() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As it goes over the wire, in HTTP/1.1.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: bench.example\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            let _ = write!(text, "content-length: {}\r\n", self.body.len());
        }
        text += "\r\n";
        text += &self.body;
        text.into_bytes()
    }
}

/// What a generator counted in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Served {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    /// Answers other than 2xx, and requests without an answer.
    pub(crate) failed: u64,
}
