//! TLS without knowing how: whoever opens the ledger says what makes a stream secure.

use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// A stream that is secure.
pub type Stream = Pin<Box<dyn Io>>;

/// The future of one.
pub type Handshake = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// Shakes hands as a client. The certificate has to be good for the host, always.
pub trait Secure: Send + Sync {
    /// On a connection to a host of this name or address, without brackets.
    fn handshake(&self, host: &str, stream: TcpStream) -> Handshake;
}
