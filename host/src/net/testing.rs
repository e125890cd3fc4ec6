//! Raw sockets for tests: nothing here knows HTTP well enough to repair it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Runs a test on a worker's kind of runtime. A test that waits for what never comes fails.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()).unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(30), test).await.expect("the test has to end") });
}

/// Waits for a condition that other tasks bring about.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One end of a connection and what was read from it and not yet looked at.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, seen: Vec::new() }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to the next `end`, with it.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end.as_bytes()) {
                return String::from_utf8(self.seen.drain(..at + end.len()).collect()).unwrap();
            }
            let n = self.stream.read_buf(&mut self.seen).await.unwrap();
            assert!(
                n > 0,
                "the stream ended after {:?} and before {end:?}",
                String::from_utf8_lossy(&self.seen)
            );
        }
    }

    /// The next head, in lower case.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await.to_ascii_lowercase()
    }

    pub(crate) async fn exactly(&mut self, n: usize) -> String {
        while self.seen.len() < n {
            assert!(self.stream.read_buf(&mut self.seen).await.unwrap() > 0, "the stream ended");
        }
        String::from_utf8(self.seen.drain(..n).collect()).unwrap()
    }

    /// What comes until the stream ends, and whether it ended without a reset.
    pub(crate) async fn rest(&mut self) -> (String, bool) {
        let clean = self.stream.read_to_end(&mut self.seen).await.is_ok();
        (String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned(), clean)
    }

    /// A response with a `content-length`: its head and its body.
    pub(crate) async fn response(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let body = self.exactly(length.map_or(0, |length| length.parse().unwrap())).await;
        (head, body)
    }
}

/// A listening socket on a port of its own.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
