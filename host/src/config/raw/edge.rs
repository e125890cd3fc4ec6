//! What was written: listeners and upstreams.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use super::tls::RawListenerTls;
use crate::config::field::{DurationText, Field, SizeText};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Listener")]
#[schemars(extend("x-expected" = "a table such as { bind = \"0.0.0.0:8080\" }"))]
pub(in crate::config) struct RawListener {
    /// Address and port.
    #[schemars(extend("x-expected" = "an address and port such as \"0.0.0.0:8080\"", "x-aliases" = ["listen", "address", "addr", "port"]))]
    pub(in crate::config) bind: Field<String>,
    /// `proxy` (the default) for the routes, or `admin` and `metrics` for the gateway's own pages.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(in crate::config) serve: List<RawServe>,
    /// Default: both.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub(in crate::config) protocols: List<RawProtocol>,
    /// Speak TLS. Default: plain HTTP.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["ssl", "https"]))]
    pub(in crate::config) tls: Field<RawListenerTls>,
    /// Networks whose `X-Forwarded-*` headers are believed.
    #[serde(default)]
    pub(in crate::config) trusted_proxies: List<String>,
    /// What becomes of paths that servers read in more than one way. Default: they are refused.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["path", "normalize_path", "path_normalization"]))]
    pub(in crate::config) paths: Field<RawPathRules>,
    /// Whether each connection begins with a header of the PROXY protocol, sent by one of `trusted_proxies`. Default: "off".
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["accept_proxy", "proxy"]))]
    pub(in crate::config) proxy_protocol: Field<RawProxyProtocol>,
    /// How long a client may take.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["timeouts"]))]
    pub(in crate::config) timeout: Field<RawListenerTimeouts>,
    /// How much a client may ask for.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["limit"]))]
    pub(in crate::config) limits: Field<RawListenerLimits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawServe {
    Proxy,
    Admin,
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawProxyProtocol {
    Off,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawProtocol {
    H1,
    H2,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "PathRules")]
#[schemars(extend("x-expected" = "a table such as { empty_segments = \"merge\" }"))]
pub(in crate::config) struct RawPathRules {
    /// `.` and `..`, encoded or not. Default: "refuse".
    #[serde(default)]
    pub(in crate::config) dot_segments: Field<RawDotSegments>,
    /// `//`. Default: "refuse".
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["slashes", "merge_slashes"]))]
    pub(in crate::config) empty_segments: Field<RawEmptySegments>,
    /// `%2F` and `%5C`. Default: "refuse".
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["escaped_slashes"]))]
    pub(in crate::config) encoded_slashes: Field<RawRefuseOrKeep>,
    /// `;` and what follows it in a segment. Default: "refuse".
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["semicolons"]))]
    pub(in crate::config) parameters: Field<RawRefuseOrKeep>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawDotSegments {
    Refuse,
    Resolve,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawEmptySegments {
    Refuse,
    Merge,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawRefuseOrKeep {
    Refuse,
    Keep,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ListenerTimeouts")]
#[schemars(extend("x-expected" = "a table such as { header = \"10s\" }"))]
pub(in crate::config) struct RawListenerTimeouts {
    /// For a whole TLS handshake. Default: 10s.
    #[serde(default)]
    pub(in crate::config) handshake: Field<DurationText>,
    /// For a whole request head. Default: 10s.
    #[serde(default)]
    pub(in crate::config) header: Field<DurationText>,
    /// For bytes of a request body that do not come. Bytes that come give it back at `limits.min_rate`. Default: 30s.
    #[serde(default)]
    pub(in crate::config) body: Field<DurationText>,
    /// For bytes of a response that the client does not take. Bytes that it takes give it back at `limits.min_rate`. Default: 60s.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["send"]))]
    pub(in crate::config) write: Field<DurationText>,
    /// Between two exchanges on one connection. Default: 75s.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["keepalive", "keep_alive"]))]
    pub(in crate::config) idle: Field<DurationText>,
    /// For a whole exchange, to the last byte of the response. Default: 5m.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["request", "total"]))]
    pub(in crate::config) exchange: Field<DurationText>,
    /// Between two bytes, either way, of a connection that speaks another protocol, such as WebSocket. Default: 1h.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["upgrade", "websocket"]))]
    pub(in crate::config) tunnel: Field<DurationText>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ListenerLimits")]
#[schemars(extend("x-expected" = "a table such as { connections = 10000 }"))]
pub(in crate::config) struct RawListenerLimits {
    /// Open connections, over all workers. Default: 10000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(in crate::config) connections: Field<u64>,
    /// Of them, from one address, or one network `/64` of IPv6; `trusted_proxies` may have more. Default: 5000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000), extend("x-aliases" = ["connections_per_ip"]))]
    pub(in crate::config) connections_per_address: Field<u64>,
    /// Requests under way, over all workers; more are answered 503. Default: 10000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000), extend("x-aliases" = ["concurrent_requests", "max_requests"]))]
    pub(in crate::config) exchanges: Field<u64>,
    /// Bytes a second that a client sends of a body and takes of a response at least, once `timeout.body` or `timeout.write` is used up by
    /// waiting for it. 0B for none. Default: 256B.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["min_data_rate"]))]
    pub(in crate::config) min_rate: Field<SizeText>,
    /// Size of a request target: path and query. Default: 8KiB.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["uri", "url_bytes"]))]
    pub(in crate::config) uri_bytes: Field<SizeText>,
    /// Size of a request body. Default: 1GiB.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["body_bytes", "max_body"]))]
    pub(in crate::config) body: Field<SizeText>,
    /// Requests of one connection; then it is closed, or told to go away. Default: 100000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000), extend("x-aliases" = ["keepalive_requests", "requests_per_connection"]))]
    pub(in crate::config) requests: Field<u64>,
    /// Size of a request head. Default: 32KiB.
    #[serde(default)]
    pub(in crate::config) header_bytes: Field<SizeText>,
    /// Fields of a request head. Default: 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::config) headers: Field<u64>,
    /// Concurrent streams of one HTTP/2 connection. Default: 128.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::config) streams: Field<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Upstream")]
#[schemars(extend("x-expected" = "a table such as { targets = [{ url = \"http://10.0.0.1:8080\" }] }"))]
pub(in crate::config) struct RawUpstream {
    /// Addresses of the service.
    #[schemars(length(min = 1), extend("x-expected" = "an array such as [{ url = \"http://10.0.0.1:8080\" }]", "x-aliases" = ["servers", "endpoints", "nodes", "backends", "url"]))]
    pub(in crate::config) targets: List<RawTarget>,
    /// What the service speaks: HTTP/1.1, or HTTP/2 by prior knowledge, as gRPC needs it. Default: "h1".
    #[serde(default)]
    pub(in crate::config) protocol: Field<RawProtocol>,
    /// How long the service may take.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["timeouts"]))]
    pub(in crate::config) timeout: Field<RawUpstreamTimeouts>,
    /// Idle connections kept per worker and target. Default: 64.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100_000))]
    pub(in crate::config) max_idle: Field<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Target")]
#[schemars(extend("x-expected" = "a table such as { url = \"http://10.0.0.1:8080\" }"))]
pub(in crate::config) struct RawTarget {
    /// `http://HOST:PORT`
    #[schemars(extend("x-expected" = "a URL such as \"http://10.0.0.1:8080\"", "x-aliases" = ["address", "host", "addr"]))]
    pub(in crate::config) url: Field<String>,
    /// Its share of the requests. Default: 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) weight: Field<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "UpstreamTimeouts")]
#[schemars(extend("x-expected" = "a table such as { connect = \"1s\", request = \"15s\" }"))]
pub(in crate::config) struct RawUpstreamTimeouts {
    /// Until a connection stands. Default: 1s.
    #[serde(default)]
    pub(in crate::config) connect: Field<DurationText>,
    /// Until the head of the response. Default: 15s.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["response", "read"]))]
    pub(in crate::config) request: Field<DurationText>,
    /// How long an unused connection is kept. Default: 60s.
    #[serde(default)]
    pub(in crate::config) idle: Field<DurationText>,
}
