//! `sluice-bench origin PORT`: what stands behind the proxies. It does as little as an origin can, so that the core
//! which it shares with the load generator is not the bottleneck. And it never sleeps: it looks for work again and again and
//! gives way to the load generator in between. On a core that goes idle a proxy pays for waking its client or its origin with
//! every write, an interrupt to another core and, in a virtual machine, an exit to the host: 2 to 8 µs a request, the more the
//! slower the proxy is, and nothing that happens where clients and origins are on other machines. Where latency is measured it
//! sleeps as others do (`/sleep`, `/wake`): there the generator must have its core the moment it wants it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request's head is expected to be shorter.
const READ: usize = 16 << 10;
/// How long the answer to `/slow` takes: until those who ask have looked around.
const SLOW: Duration = Duration::from_secs(10);
/// Sent as text: what rewrites JSON in both directions should have work in one.
const ACCEPTED: &str = r#"{"accepted":true,"id":"8d3c2f0e"}"#;

/// Whether it looks for work again and again.
static AWAKE: AtomicBool = AtomicBool::new(true);

/// How often it looks whether it should, while it does not.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Answers, each written in one piece.
struct Answers {
    small: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
    json: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let text = |size: usize| answer("text/plain", "x".repeat(size).as_bytes());
        Self {
            small: text(128),
            medium: text(10 << 10),
            large: text(1 << 20),
            json: answer("text/plain", ACCEPTED.as_bytes()),
        }
    }

    fn to(&self, head: &[u8]) -> &[u8] {
        if head.starts_with(b"GET /10k ") {
            &self.medium
        } else if head.starts_with(b"GET /1m ") {
            &self.large
        } else if head.starts_with(b"POST /json ") {
            &self.json
        } else {
            &self.small
        }
    }
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
    let mut buffer = Vec::with_capacity(READ);
    loop {
        while let Some(request) = find(&buffer) {
            // A body that has not arrived yet is waited for, as a service would.
            while buffer.len() < request.end {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
            if buffer.starts_with(b"GET /slow ") || buffer.starts_with(b"GET /p0/slow ") {
                tokio::time::sleep(SLOW).await;
            }
            if buffer.starts_with(b"GET /sleep ") || buffer.starts_with(b"GET /wake ") {
                AWAKE.store(buffer.starts_with(b"GET /wake "), Ordering::Relaxed);
            }
            if is_echo(&buffer) {
                // Shows what arrived, to check that a peer did its work.
                stream.write_all(&answer("text/plain", &buffer[..request.end])).await?;
            } else {
                stream.write_all(answers.to(&buffer)).await?;
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

fn is_echo(head: &[u8]) -> bool {
    head.starts_with(b"GET /echo ") || head.starts_with(b"POST /echo ")
}

#[cfg(test)]
mod tests {
    use super::{find, is_echo};

    #[test]
    fn a_head_alone_is_a_request_and_a_body_belongs_to_it() {
        assert_eq!(find(b"GET / HTTP/1.1\r\nhost: a\r\n"), None);
        assert_eq!(find(b"GET / HTTP/1.1\r\n\r\nGET").map(|found| found.end), Some(18));
        let post = b"POST /json HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(find(post).map(|found| found.end), Some(post.len()));
        assert!(is_echo(b"GET /echo HTTP/1.1"));
        assert!(!is_echo(b"GET /echoes HTTP/1.1"));
    }
}
