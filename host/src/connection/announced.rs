//! Whose connection a balancer passes on, before anything else is read: the header of the PROXY protocol.

use std::future::poll_fn;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::config::Listener;
use crate::net::{Drain, Progress, announced};

/// Why a connection does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unannounced {
    /// The header is none, or broken.
    Malformed,
    /// It did not come within `timeout.header`, or before the drain's end.
    Timeout,
    /// The client left, as a balancer does that only looks whether the port is open.
    Left,
}

impl Unannounced {
    /// A metric label; a client that leaves is not refused.
    pub(crate) fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("proxy-malformed"),
            Self::Timeout => Some("proxy-timeout"),
            Self::Left => None,
        }
    }
}

/// Reads the header and not one byte more: what follows stays in the socket. `None` is a connection of the sender's own, or of
/// somebody that it does not know.
pub(crate) async fn client(
    stream: &mut TcpStream,
    settings: &Listener,
    drain: &Drain,
) -> Result<Option<SocketAddr>, Unannounced> {
    let watched = drain.watch();
    let drained = async {
        sleep_until(poll_fn(|cx| watched.poll_started(cx)).await).await;
    };
    tokio::select! {
        found = header(stream) => found,
        () = sleep_until(Instant::now() + settings.timeouts.header) => Err(Unannounced::Timeout),
        () = drained => Err(Unannounced::Timeout),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Unannounced> {
    let mut bytes = Vec::new();
    loop {
        match announced(&bytes).map_err(|_| Unannounced::Malformed)? {
            Progress::Whole(address) => return Ok(address),
            Progress::Needs(more) => {
                let had = bytes.len();
                bytes.resize(had + more, 0);
                // What came of it is looked at at once: what is no header is not waited for.
                let read = stream.read(&mut bytes[had..]).await.map_err(|_| Unannounced::Left)?;
                bytes.truncate(had + read);
                if read == 0 {
                    return Err(if had == 0 { Unannounced::Left } else { Unannounced::Malformed });
                }
            }
        }
    }
}
