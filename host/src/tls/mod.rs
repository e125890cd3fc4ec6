//! TLS. rustls lives only here; a leaf: it knows sockets and certificates, nothing of HTTP.

mod client;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use client::{Connector, TlsError};
