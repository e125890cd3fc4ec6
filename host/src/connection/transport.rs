//! What carries a client connection: a socket, with TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::config::Listener;
use crate::exchange::Peer;
use crate::tls::{Acceptor, HandshakeFailure, ServerStream};

pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<ServerStream>),
}

/// Makes the connection of a peer fit to be served, and notes what its handshake has told of it.
///
/// # Errors
/// If the TLS handshake fails, or does not end in time.
pub(crate) async fn admit(
    stream: TcpStream,
    peer: Peer,
    settings: &Listener,
    acceptor: Option<&Acceptor>,
) -> Result<(Transport, Peer), HandshakeFailure> {
    match acceptor {
        None => Ok((Transport::Plain(stream), peer)),
        Some(acceptor) => {
            // Boxed: its size would be that of every connection's task.
            let accepted = Box::pin(acceptor.accept(stream, settings.timeouts.handshake)).await;
            let (stream, secured) = accepted?;
            let forwards = settings.tls.as_ref().is_some_and(|tls| tls.forward_client_cert);
            Ok((Transport::Tls(Box::new(stream)), peer.secured(secured, forwards)))
        }
    }
}

impl Transport {
    /// The socket.
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Closing it resets the connection.
    pub(super) fn cut(&self) {
        let _ = self.tcp().set_zero_linger();
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // What a socket has taken it sends.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
