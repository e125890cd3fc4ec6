//! An issuer on a socket that does what the test says, and a clock that only the test moves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::jwks::{KeySetConfig, KeySets, KeySource};
use crate::tls::testing::Authority;

/// What a request is answered with.
pub(super) enum Answer {
    /// Status, headers with their line ends, body.
    Whole(u16, String, String),
    /// Nothing, and the connection stays open.
    Nothing,
    /// A body without end.
    Endless,
}

/// 200 and a JSON document.
pub(super) fn document(body: &Value) -> Answer {
    Answer::Whole(200, String::new(), body.to_string())
}

type Script = dyn Fn(&str, &str) -> Answer + Send;

/// Answers every request by its script, which sees path and head.
#[derive(Clone)]
pub(super) struct Provider {
    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`.
    pub(super) url: String,
    script: Arc<Mutex<Box<Script>>>,
    requests: Arc<AtomicUsize>,
}

impl Provider {
    pub(super) async fn plain(script: impl Fn(&str, &str) -> Answer + Send + 'static) -> Self {
        Self::new(None, script).await
    }

    pub(super) async fn secure(
        authority: &Authority,
        script: impl Fn(&str, &str) -> Answer + Send + 'static,
    ) -> Self {
        Self::new(Some(authority.acceptor("localhost")), script).await
    }

    async fn new(tls: Option<TlsAcceptor>, script: impl Fn(&str, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let provider = Self { url, script: Arc::new(Mutex::new(Box::new(script))), requests: Arc::default() };
        tokio::spawn(provider.clone().accept(listener, tls));
        provider
    }

    async fn accept(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().welcome(stream, tls.clone()));
        }
    }

    async fn welcome(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => self.serve(stream).await,
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.serve(stream).await;
                }
            }
        }
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let path = head.split(' ').nth(1).unwrap();
        let answer = (self.script.lock().unwrap())(path, &head);
        match answer {
            Answer::Nothing => drop(stream.read_u8().await),
            Answer::Whole(status, headers, body) => {
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
            Answer::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n").await;
                let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            }
        }
    }

    /// From now on it answers by this.
    pub(super) fn does(&self, script: impl Fn(&str, &str) -> Answer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// From now on it has these keys.
    pub(super) fn publishes(&self, keys: &[Value]) {
        let set = json!({ "keys": keys });
        self.does(move |_, _| document(&set));
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// A set of its keys, by their URL.
    pub(super) fn set(&self) -> KeySetConfig {
        KeySetConfig::new(KeySource::Url(format!("{}/keys", self.url)))
    }
}

/// Sets with one set, `a`, that is being fetched.
pub(super) fn started(config: KeySetConfig) -> KeySets {
    let sets = KeySets::new([("a".into(), config)], None).map_err(|errors| format!("{errors:?}")).unwrap();
    sets.start(&tokio::runtime::Handle::current());
    sets
}

/// Runs a test whose clock stands still until the test advances it, whatever sockets take.
pub(super) fn frozen(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // tokio moves a paused clock when all tasks wait, but not while a blocking task runs.
        let (melt, ice) = std::sync::mpsc::channel::<()>();
        let ice = tokio::task::spawn_blocking(move || ice.recv());
        test.await;
        drop(melt);
        let _ = ice.await;
    });
}

/// Lets other tasks and sockets go on until something has come about. Takes no time on the test's clock.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "what was waited for did not come about");
        tokio::task::yield_now().await;
    }
}

pub(super) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
