//! Names of exports, imports and custom sections.

/// Functions that a plugin exports. Those marked *phase* are exported only when implemented.
pub mod export {
    /// The plugin's linear memory.
    pub const MEMORY: &str = "memory";
    /// `() -> i64`: pointer (high half) and length (low half) of the descriptor as JSON.
    pub const DESCRIBE: &str = "sluice_v1_describe";
    /// `() -> i32`: builds the plugin from its configuration; [`Answer`](crate::Answer) code.
    pub const CONFIGURE: &str = "sluice_v1_configure";
    /// `() -> i32`: checks the configured plugin once at load; [`Answer`](crate::Answer) code.
    pub const SELF_TEST: &str = "sluice_v1_self_test";
    /// `() -> i32`: the phases that the configured plugin has nothing to do in, one bit each, the bit of
    /// [`Phase::bit`](crate::Phase::bit). Optional; asked once at load.
    pub const SKIPPED: &str = "sluice_v1_skipped";
    /// Phase, `() -> i32`: the request head.
    pub const REQUEST: &str = "sluice_v1_request";
    /// Phase, `() -> i32`: the whole request body.
    pub const REQUEST_BODY: &str = "sluice_v1_request_body";
    /// Phase, `(last: i32) -> i32`: one chunk of the request body.
    pub const REQUEST_CHUNK: &str = "sluice_v1_request_chunk";
    /// Phase, `() -> i32`: the response head.
    pub const RESPONSE: &str = "sluice_v1_response";
    /// Phase, `() -> i32`: the whole response body.
    pub const RESPONSE_BODY: &str = "sluice_v1_response_body";
    /// Phase, `(last: i32) -> i32`: one chunk of the response body.
    pub const RESPONSE_CHUNK: &str = "sluice_v1_response_chunk";
    /// Phase, `() -> i32`: after the last byte.
    pub const COMPLETE: &str = "sluice_v1_complete";
}

/// Modules that a plugin may import from: one per capability, `http` being everyone's.
pub mod import {
    /// Heads, bodies, context values, answers, configuration: always granted.
    pub const HTTP: &str = "sluice:v1/http";
    /// `log`
    pub const LOG: &str = "sluice:v1/log";
    /// `clock`
    pub const CLOCK: &str = "sluice:v1/clock";
    /// `random`
    pub const RANDOM: &str = "sluice:v1/random";
    /// `store`
    pub const STORE: &str = "sluice:v1/store";
    /// `consumers`
    pub const CONSUMERS: &str = "sluice:v1/consumers";
    /// `crypto`
    pub const CRYPTO: &str = "sluice:v1/crypto";
    /// `jwks:<name>`
    pub const JWKS: &str = "sluice:v1/jwks";
    /// `meter`
    pub const METER: &str = "sluice:v1/meter";
    /// `fetch:<upstream>`
    pub const FETCH: &str = "sluice:v1/fetch";
    /// WASI preview 1, of which the host offers the few functions that the standard library needs.
    pub const WASI: &str = "wasi_snapshot_preview1";
}

/// Header fields, lower case, that frame a message or belong to one connection. They are the host's: it denies a plugin to write
/// or remove them.
pub const RESERVED_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Custom sections of a plugin file.
pub mod section {
    /// The seal: SHA-256 (32 bytes) over every byte of the file before this section, which is the last.
    pub const SEAL: &str = "sluice.seal";
}
