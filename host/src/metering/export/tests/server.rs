//! A billing system that says exactly what the test says, and notes what it was given.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// What is done with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// What is answered; events of a request that is answered with a status of 2xx are kept.
    Answer(u16, &'static str, String),
    /// The events are kept, and the answer, 200, comes so much later.
    Late(Duration),
    /// The events are kept, and the connection ends within the answer.
    Cut,
    /// The connection ends without an answer, and nothing is kept.
    Drop,
}

/// With nothing to say beside it.
pub(crate) fn answer(status: u16) -> Act {
    Act::Answer(status, "", String::new())
}

#[derive(Clone)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Received {
    /// The ids of the events in it, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let ids = self.body.split(['"', '&']).filter_map(|text| {
            let text = text.strip_prefix("identifier=").unwrap_or(text).replace("%2F", "/");
            text.starts_with("edge-1/").then_some(text)
        });
        ids.collect()
    }
}

#[derive(Default)]
struct Noted {
    requests: Vec<Received>,
    /// Ids of the events that were kept, also those that came twice.
    kept: Vec<String>,
    /// Requests under way, now and at most.
    open: (usize, usize),
}

type Script = dyn FnMut(usize, &Received) -> Act + Send;

/// Runs until it is dropped.
pub(crate) struct Server {
    port: u16,
    noted: Arc<Mutex<Noted>>,
    script: Arc<Mutex<Box<Script>>>,
    accepting: Option<AbortHandle>,
}

impl Server {
    /// The script gets the number of a request, from 0, and the request.
    pub(crate) async fn start(script: impl FnMut(usize, &Received) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (noted, script): (_, Box<Script>) = (Arc::default(), Box::new(script));
        let mut server = Self { port, noted, script: Arc::new(Mutex::new(script)), accepting: None };
        server.accept(listener);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/events", self.port)
    }

    /// Nobody listens any more.
    pub(crate) fn go_down(&mut self) {
        self.accepting.take().unwrap().abort();
    }

    pub(crate) async fn come_up(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.accept(listener);
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.noted.lock().unwrap().requests.clone()
    }

    /// Every id that was kept, as it came.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.noted.lock().unwrap().kept.clone()
    }

    /// Every id that was kept, once, in the order in which they came first: what is left when the sink removes duplicates.
    pub(crate) fn distinct(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.kept().into_iter().filter(|id| seen.insert(id.clone())).collect()
    }

    /// Requests that were under way together.
    pub(crate) fn most_open(&self) -> usize {
        self.noted.lock().unwrap().open.1
    }

    fn accept(&mut self, listener: TcpListener) {
        let (noted, script) = (Arc::clone(&self.noted), Arc::clone(&self.script));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&noted), Arc::clone(&script)));
            }
        });
        self.accepting = Some(task.abort_handle());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.accepting.take() {
            task.abort();
        }
    }
}

async fn serve(mut stream: TcpStream, noted: Arc<Mutex<Noted>>, script: Arc<Mutex<Box<Script>>>) {
    let Some(received) = read(&mut stream).await else { return };
    let number = {
        let mut noted = noted.lock().unwrap();
        noted.requests.push(received.clone());
        noted.open.0 += 1;
        noted.open.1 = noted.open.1.max(noted.open.0);
        noted.requests.len() - 1
    };
    let act = (script.lock().unwrap_or_else(PoisonError::into_inner))(number, &received);
    let keep = || noted.lock().unwrap().kept.extend(received.ids());
    match act {
        Act::Answer(status, headers, body) => {
            if (200..300).contains(&status) {
                keep();
            }
            // Long enough for others to come meanwhile.
            sleep(Duration::from_millis(5)).await;
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
            noted.lock().unwrap().open.0 -= 1;
            let _ = stream.write_all(answer.as_bytes()).await;
            return;
        }
        Act::Late(delay) => {
            keep();
            sleep(delay).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
        Act::Cut => {
            keep();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await;
        }
        Act::Drop => {}
    }
    noted.lock().unwrap().open.0 -= 1;
}

/// A request with a length; none if there is no whole one.
async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { head, body: String::from_utf8(body).unwrap(), at: Instant::now() })
}
