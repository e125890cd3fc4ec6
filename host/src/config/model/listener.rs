//! Where clients come in, and how much of what they may.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::ListenerTls;

/// An address that the gateway listens on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) name: Arc<str>,
    pub(crate) bind: SocketAddr,
    pub(crate) serve: Serve,
    pub(crate) protocols: Protocols,
    /// It speaks plain HTTP without.
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) paths: PathRules,
    /// Each connection begins with a header of the PROXY protocol, from a trusted proxy.
    pub(crate) proxy_protocol: bool,
    pub(crate) timeouts: ListenerTimeouts,
    pub(crate) limits: ListenerLimits,
}

/// What a listener answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    /// The routes.
    Proxy,
    /// The gateway's own pages.
    Admin { admin: bool, metrics: bool },
}

/// The protocols that a listener speaks: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocols {
    pub(crate) h1: bool,
    pub(crate) h2: bool,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerTimeouts {
    /// For a whole TLS handshake.
    pub(crate) handshake: Duration,
    /// For a whole request head.
    pub(crate) header: Duration,
    /// For bytes of a request body that do not come.
    pub(crate) body: Duration,
    /// For bytes of a response that the client does not take.
    pub(crate) write: Duration,
    /// Between two exchanges on one connection.
    pub(crate) idle: Duration,
    /// For a whole exchange.
    pub(crate) exchange: Duration,
    /// Between two bytes, either way, of a connection that speaks another protocol.
    pub(crate) tunnel: Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            // Kernels say that there is room again when a third of it is: long enough for that third on a slow line.
            write: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            // To the last byte: long enough for a download, short enough for a client that never ends one.
            exchange: Duration::from_secs(300),
            tunnel: Duration::from_secs(3600),
        }
    }
}

/// How much a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerLimits {
    /// Open connections, over all workers.
    pub(crate) connections: usize,
    /// Of them, from one address.
    pub(crate) connections_per_address: usize,
    /// Requests under way, over all workers.
    pub(crate) exchanges: usize,
    /// Bytes a second that a client says and takes at least, once it has used up `body` or `write`.
    pub(crate) min_rate: u64,
    /// Bytes of a request target.
    pub(crate) uri_bytes: usize,
    /// Bytes of a request body.
    pub(crate) body: u64,
    /// Requests of one connection.
    pub(crate) requests: u64,
    /// Bytes of a request head.
    pub(crate) header_bytes: usize,
    /// Fields of a request head.
    pub(crate) headers: usize,
    /// Concurrent streams of one HTTP/2 connection.
    pub(crate) streams: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 5_000,
            exchanges: 10_000,
            min_rate: 256,
            uri_bytes: 8 << 10,
            body: 1 << 30,
            requests: 100_000,
            header_bytes: 32 << 10,
            headers: 100,
            streams: 128,
        }
    }
}

/// What becomes of paths that servers read in more than one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathRules {
    pub(crate) dot_segments: DotSegments,
    pub(crate) empty_segments: EmptySegments,
    /// `%2F` and `%5C` pass as they are.
    pub(crate) encoded_slashes: bool,
    /// `;` and what follows it pass as they are.
    pub(crate) parameters: bool,
}

/// What becomes of `.` and `..`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DotSegments {
    #[default]
    Refuse,
    /// As RFC 3986 section 5.2.4 does it, but never above the root.
    Resolve,
}

/// What becomes of `//`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EmptySegments {
    #[default]
    Refuse,
    Merge,
    Keep,
}
