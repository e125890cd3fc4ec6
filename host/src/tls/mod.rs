//! TLS. rustls lives only here; a leaf: it knows sockets, certificates and their settings, nothing of HTTP.

mod certificate;
mod client;
mod server;
mod session;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use client::{Connector, TlsError};
pub(crate) use server::{Acceptor, Agreed, HandshakeFailure, Secured, ServerStream};
pub(crate) use session::Sessions;
