//! One connection to a server: made, proven to work, and published over.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Message;
use super::place::{Credentials, Place};
use super::wire::{self, Acknowledgement, Connect, Info, Said};
use crate::metering::export::outcome::shorten;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

type Stream = Box<dyn Duplex>;

type Handshake = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// TLS without knowing how: shakes hands as a client on a connection to a host of this name or address.
#[derive(Clone)]
pub(crate) struct Secure(Arc<dyn Fn(String, TcpStream) -> Handshake + Send + Sync>);

impl Secure {
    /// `handshake` gets the host, without brackets, and the connection.
    pub(crate) fn new<F, S>(handshake: impl Fn(String, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move |host, stream| {
            let handshake = handshake(host, stream);
            Box::pin(async move {
                let stream: Stream = Box::new(handshake.await?);
                Ok(stream)
            })
        }))
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}

/// A connection that works.
pub(super) struct Line {
    reader: BufReader<ReadHalf<Stream>>,
    writer: WriteHalf<Stream>,
    max_payload: usize,
    /// Where answers come in: this, a dot and a number.
    inbox: String,
    next: u64,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

/// What was said of one message.
#[derive(Debug)]
pub(super) enum Answer {
    /// Now or before.
    Stored,
    /// Larger than so many bytes, so it was not even sent.
    TooLarge(usize),
    Refused {
        code: u64,
        what: String,
    },
    NoStream,
    Strange,
}

impl Line {
    /// To the first server that can be reached, from the one of this number on; which one it is. Each but the last has half of the time
    /// that is left, so that one that hangs does not keep the others from being tried.
    pub(super) async fn connect(
        place: &Place,
        secure: Option<&Secure>,
        first: usize,
        deadline: Instant,
    ) -> io::Result<(Self, usize)> {
        let count = place.servers.len();
        let mut last = None;
        for (tried, number) in (0..count).map(|number| (first + number) % count).enumerate() {
            let (host, port) = &place.servers[number];
            let left = deadline.saturating_duration_since(Instant::now());
            let share = if tried + 1 < count { left / 2 } else { left };
            match timeout(share, Self::connect_to(host, *port, place, secure)).await {
                Ok(Ok(line)) => return Ok((line, number)),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {
                    let within = (share + Duration::from_micros(500)).as_millis();
                    last =
                        Some(io::Error::other(format!("no connection to {host}:{port} within {within}ms")));
                }
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("there is no server")))
    }

    async fn connect_to(host: &str, port: u16, place: &Place, secure: Option<&Secure>) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let (info, stream) = greet(stream).await?;
        if !info.headers {
            return Err(io::Error::other("the server knows no headers: it has to be 2.2 or newer"));
        }
        let tls = place.tls || info.tls_required;
        let stream: Stream = match (tls, secure) {
            (false, _) => Box::new(stream),
            (true, _) if !info.tls_required && !info.tls_available => {
                return Err(io::Error::other("the server has no TLS"));
            }
            (true, Some(Secure(handshake))) => handshake(host.to_owned(), stream).await?,
            (true, None) => return Err(io::Error::other("the server wants TLS, which is not configured")),
        };
        let (reader, writer) = tokio::io::split(stream);
        let mut random = [0; 12];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| io::Error::other("the system gives no random bytes"))?;
        let inbox = format!("_INBOX.{}", HEXLOWER.encode(&random));
        let mut line =
            Self { reader: BufReader::new(reader), writer, max_payload: info.max_payload, inbox, next: 0 };
        line.introduce(&place.credentials, tls).await?;
        Ok(line)
    }

    /// Logs in and listens for answers; the server says whether it agrees.
    async fn introduce(&mut self, credentials: &Credentials, tls: bool) -> io::Result<()> {
        let (auth_token, user, pass) = match credentials {
            Credentials::None => (None, None, None),
            Credentials::Token(token) => (Some(&**token), None, None),
            Credentials::User { name, password } => (None, Some(&**name), Some(&**password)),
        };
        let connect = Connect {
            verbose: false,
            pedantic: false,
            tls_required: tls,
            name: "sluice",
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            headers: true,
            no_responders: true,
            auth_token,
            user,
            pass,
        };
        let connect = serde_json::to_string(&connect).map_err(io::Error::other)?;
        let hello = format!("CONNECT {connect}\r\nSUB {}.* 1\r\nPING\r\n", self.inbox);
        self.writer.write_all(hello.as_bytes()).await?;
        self.writer.flush().await?;
        loop {
            match wire::read(&mut self.reader).await? {
                Said::Pong => return Ok(()),
                Said::Error(what) => return Err(complaint(&what)),
                Said::Ping => self.writer.write_all(b"PONG\r\n").await?,
                Said::Info(_) | Said::Ok | Said::Message { .. } => {}
            }
        }
    }

    /// Publishes all, and tells of each what was said of it. It ends when something was said of all, or with an error.
    pub(super) async fn publish(
        &mut self,
        messages: &[Message],
        mut tell: impl FnMut(usize, Answer),
    ) -> io::Result<()> {
        let first = self.next;
        self.next += messages.len() as u64;
        let mut wire = Vec::new();
        let mut open = vec![false; messages.len()];
        for (index, message) in messages.iter().enumerate() {
            let Message { subject, headers, payload } = message;
            let total = headers.len() + payload.len();
            if total > self.max_payload {
                tell(index, Answer::TooLarge(self.max_payload));
                continue;
            }
            open[index] = true;
            let reply = format!("{}.{}", self.inbox, first + index as u64);
            wire.extend_from_slice(
                format!("HPUB {subject} {reply} {} {total}\r\n", headers.len()).as_bytes(),
            );
            wire.extend_from_slice(headers.as_bytes());
            wire.extend_from_slice(payload);
            wire.extend_from_slice(b"\r\n");
        }
        let mut waiting = open.iter().filter(|open| **open).count();
        let (reader, writer, inbox) = (&mut self.reader, &mut self.writer, &self.inbox);
        let mut pings = 0;
        let listen = async {
            while waiting > 0 {
                match wire::read(reader).await? {
                    Said::Message { subject, status, payload } => {
                        let Some(index) = number(inbox, &subject, first, messages.len()) else { continue };
                        if std::mem::take(&mut open[index]) {
                            waiting -= 1;
                            tell(index, answer(status.as_deref(), &payload));
                        }
                    }
                    Said::Error(what) => return Err(complaint(&what)),
                    Said::Ping => pings += 1,
                    Said::Info(_) | Said::Ok | Said::Pong => {}
                }
            }
            Ok(())
        };
        let speak = async {
            writer.write_all(&wire).await?;
            writer.flush().await
        };
        // Both at once: a server that cannot be rid of its answers takes no more messages.
        tokio::try_join!(speak, listen)?;
        for _ in 0..pings {
            self.writer.write_all(b"PONG\r\n").await?;
        }
        self.writer.flush().await
    }
}

/// Reads what the server says first, and not a byte more: what comes then may be TLS.
async fn greet(stream: TcpStream) -> io::Result<(Info, TcpStream)> {
    let mut reader = BufReader::with_capacity(1, stream);
    let Said::Info(info) = wire::read(&mut reader).await? else {
        return Err(io::Error::other("who answers is no NATS server"));
    };
    let info = serde_json::from_str(&info).map_err(io::Error::other)?;
    Ok((info, reader.into_inner()))
}

/// Which message an answer is to.
fn number(inbox: &str, subject: &str, first: u64, messages: usize) -> Option<usize> {
    let number: u64 = subject.strip_prefix(inbox)?.strip_prefix('.')?.parse().ok()?;
    usize::try_from(number.checked_sub(first)?).ok().filter(|index| *index < messages)
}

fn answer(status: Option<&str>, payload: &[u8]) -> Answer {
    if status.is_some_and(|status| status.starts_with("503")) {
        return Answer::NoStream;
    }
    match serde_json::from_slice(payload) {
        Ok(Acknowledgement { error: Some(refusal), .. }) => {
            let code = if refusal.err_code == 0 { refusal.code } else { refusal.err_code };
            Answer::Refused { code, what: shorten(&refusal.description) }
        }
        Ok(Acknowledgement { stream: Some(_), seq: Some(_), .. }) => Answer::Stored,
        _ => Answer::Strange,
    }
}

fn complaint(what: &str) -> io::Error {
    io::Error::other(format!("the server says: {}", shorten(what)))
}
