//! TLS without knowing how: whoever opens the store says what makes a stream secure.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use redis::aio::AsyncStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub(super) type Stream = Pin<Box<dyn AsyncStream + Send>>;

type Handshake = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// Shakes hands as a client on a connection to a host of this name or address.
#[derive(Clone)]
pub(crate) struct Secure(Arc<dyn Fn(String, TcpStream) -> Handshake + Send + Sync>);

impl Secure {
    /// `handshake` gets the host, without brackets, and the connection.
    pub(crate) fn new<F, S>(handshake: impl Fn(String, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self(Arc::new(move |host, stream| {
            let handshake = handshake(host, stream);
            Box::pin(async move {
                let stream: Stream = Box::pin(handshake.await?);
                Ok(stream)
            })
        }))
    }

    pub(super) async fn handshake(&self, host: &str, stream: TcpStream) -> io::Result<Stream> {
        (self.0)(host.to_owned(), stream).await
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}
