//! `sluice-bench origin PORT`: what stands behind the proxies. It does as little as an origin can, so that the core
//! which it shares with the load generator is not the bottleneck. And it never sleeps: it looks for work again and again and
//! gives way to the load generator in between. On a core that goes idle a proxy pays for waking its client or its origin with
//! every write, an interrupt to another core and, in a virtual machine, an exit to the host: 2 to 8 µs a request, the more the
//! slower the proxy is, and nothing that happens where clients and origins are on other machines. Where latency is measured it
//! sleeps as others do (`/sleep`, `/wake`): there the generator must have its core the moment it wants it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::grpc;

/// A request's head is expected to be shorter.
const READ: usize = 16 << 10;
/// How long the answer to `/slow` takes: until those who ask have looked around.
const SLOW: Duration = Duration::from_secs(10);
/// Sent as text: what rewrites JSON in both directions should have work in one.
const ACCEPTED: &str = r#"{"accepted":true,"id":"8d3c2f0e"}"#;

/// The token that an authorization server and a service for `ext-authz` would know.
pub(crate) const TOKEN: &str = "opaque-token-of-the-benchmark";
/// What the first says of it, and of any other.
const ACTIVE: &str = r#"{"active":true,"client_id":"c0","sub":"u-1","scope":"read write","token_type":"Bearer","exp":4102444800}"#;
const INACTIVE: &str = r#"{"active":false}"#;

/// Whether it looks for work again and again.
static AWAKE: AtomicBool = AtomicBool::new(true);

/// How often gateways have asked about a request, since somebody wanted to know.
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// How often it looks whether it should, while it does not.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Answers, each written in one piece.
struct Answers {
    small: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
    accepted: Vec<u8>,
    document: Vec<u8>,
    cacheable: Vec<u8>,
    active: Vec<u8>,
    inactive: Vec<u8>,
    permitted: Vec<u8>,
    forbidden: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let text = |size: usize| answer("text/plain", "x".repeat(size).as_bytes());
        let json = |text: &str| answer("application/json", text.as_bytes());
        let head = |head: &str| format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n").into_bytes();
        let kept = answer("text/plain\r\ncache-control: max-age=3600", "x".repeat(128).as_bytes());
        Self {
            small: text(128),
            medium: text(10 << 10),
            large: text(1 << 20),
            accepted: answer("text/plain", ACCEPTED.as_bytes()),
            document: json(&document()),
            cacheable: kept,
            active: json(ACTIVE),
            inactive: json(INACTIVE),
            permitted: head("200 OK\r\nx-user: u-1"),
            forbidden: head("403 Forbidden"),
        }
    }

    fn to(&self, request: &[u8]) -> &[u8] {
        let known = || request.windows(TOKEN.len()).any(|bytes| bytes == TOKEN.as_bytes());
        match asked(request) {
            (b"GET", b"10k") => &self.medium,
            (b"GET", b"1m") => &self.large,
            (b"POST", b"json") => &self.accepted,
            (b"GET", b"json") => &self.document,
            (b"GET", b"cacheable") => &self.cacheable,
            (b"POST", b"introspect") => {
                if known() {
                    &self.active
                } else {
                    &self.inactive
                }
            }
            (b"GET", b"authorize") => {
                if known() {
                    &self.permitted
                } else {
                    &self.forbidden
                }
            }
            _ => &self.small,
        }
    }
}

/// A JSON document of about 1 KiB.
pub(crate) fn document() -> String {
    let items: Vec<_> = (0..12)
        .map(|number| serde_json::json!({ "sku": format!("A-{number:05}"), "count": number + 1, "price": "12.50", "name": "a thing" }))
        .collect();
    serde_json::json!({ "order": "8d3c2f0e-0000-4000-8000-000000000001", "customer": "acme", "secret": "hunter2", "items": items })
        .to_string()
}

/// The method, and the last segment of the path: what comes before it is for the proxies.
fn asked(request: &[u8]) -> (&[u8], &[u8]) {
    let mut words = request.split(|byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (method, target.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
}

fn answer(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Serves until it is killed.
pub(crate) fn run(port: u16) -> Result<()> {
    // Every turn of the loop looks at the sockets.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let answers = Arc::new(Answers::new());
        tokio::spawn(async {
            loop {
                if AWAKE.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(LOOK_UP).await;
                }
            }
        });
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let _ = serve(stream, &answers).await;
            });
        }
    })
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0; grpc::PREFACE.len()];
    stream.peek(&mut first).await?;
    if first == grpc::PREFACE {
        return grpc::serve(stream).await.map_err(std::io::Error::other);
    }
    let mut buffer = Vec::with_capacity(READ);
    loop {
        while let Some(request) = find(&buffer) {
            // A body that has not arrived yet is waited for, as a service would.
            while buffer.len() < request.end {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
            match asked(&buffer) {
                (b"GET", b"slow") => tokio::time::sleep(SLOW).await,
                (b"GET", b"sleep") => AWAKE.store(false, Ordering::Relaxed),
                (b"GET", b"wake") => AWAKE.store(true, Ordering::Relaxed),
                (_, b"introspect" | b"authorize") => drop(QUESTIONS.fetch_add(1, Ordering::Relaxed)),
                _ => {}
            }
            if asked(&buffer).1 == b"questions" {
                let questions = QUESTIONS.swap(0, Ordering::Relaxed).to_string();
                stream.write_all(&answer("text/plain", questions.as_bytes())).await?;
            } else if asked(&buffer).1 == b"echo" {
                // Shows what arrived, to check that a peer did its work.
                stream.write_all(&answer("text/plain", &buffer[..request.end])).await?;
            } else {
                stream.write_all(answers.to(&buffer[..request.end])).await?;
            }
            buffer.drain(..request.end);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Where a request that begins here ends.
#[derive(Debug, PartialEq)]
struct Found {
    end: usize,
}

/// The request at the start of these bytes, once its head is there.
fn find(bytes: &[u8]) -> Option<Found> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    // Only what posts has a body; nothing is parsed for the rest.
    if !bytes.starts_with(b"POST ") {
        return Some(Found { end: head });
    }
    let length = std::str::from_utf8(&bytes[..head]).ok().and_then(content_length).unwrap_or(0);
    Some(Found { end: head + length })
}

fn content_length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::{asked, find};

    #[test]
    fn a_head_alone_is_a_request_and_a_body_belongs_to_it() {
        assert_eq!(find(b"GET / HTTP/1.1\r\nhost: a\r\n"), None);
        assert_eq!(find(b"GET / HTTP/1.1\r\n\r\nGET").map(|found| found.end), Some(18));
        let post = b"POST /json HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(find(post).map(|found| found.end), Some(post.len()));
        assert_eq!(asked(b"GET /echo HTTP/1.1"), (&b"GET"[..], &b"echo"[..]));
        assert_eq!(asked(b"POST /api-key/json HTTP/1.1"), (&b"POST"[..], &b"json"[..]));
        assert_eq!(asked(b""), (&b""[..], &b""[..]));
    }
}
