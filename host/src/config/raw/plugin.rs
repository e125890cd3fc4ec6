//! What was written: plugins.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::List;
use crate::config::field::{DurationText, Field, SizeText};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Plugin")]
#[schemars(extend("x-expected" = "a table such as { module = \"plugins/auth.wasm\" }"))]
pub(in crate::config) struct RawPlugin {
    /// The `.wasm` file, relative to this one.
    #[schemars(extend("x-expected" = "the path of a .wasm file", "x-aliases" = ["file", "path", "wasm", "url"]))]
    pub(in crate::config) module: Field<String>,
    /// The digest that the file must have, in hex.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a SHA-256 digest of 64 hexadecimal digits", "x-aliases" = ["digest", "checksum"]))]
    pub(in crate::config) sha256: Field<String>,
    /// What the plugin may use: `log`, `clock`, `random`, `store`, `consumers`, `crypto`, `meter`,
    /// `fetch:UPSTREAM`, `jwks:NAME`, `secret:NAME`.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [\"store\"]", "x-aliases" = ["permissions", "grants", "allow"]))]
    pub(in crate::config) capabilities: List<String>,
    /// `exchange` gives each exchange a fresh instance. Default: `shared`.
    #[serde(default)]
    pub(in crate::config) isolation: Field<RawIsolation>,
    /// What it may spend.
    #[serde(default)]
    pub(in crate::config) limits: Field<RawLimits>,
    /// What becomes of an exchange when the plugin faults. Default: `deny`.
    #[serde(default)]
    pub(in crate::config) on_error: Field<RawOnError>,
    /// When it is left out for a while, or `off`.
    #[serde(default)]
    pub(in crate::config) circuit: Field<RawCircuit>,
    /// Its configuration, by its own schema.
    #[serde(default)]
    pub(in crate::config) config: Field<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawIsolation {
    Shared,
    Exchange,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "PluginLimits")]
#[schemars(extend("x-expected" = "a table such as { time = \"2ms\", memory = \"16MiB\" }"))]
pub(in crate::config) struct RawLimits {
    /// Per call. Default: 10ms.
    #[serde(default)]
    pub(in crate::config) time: Field<DurationText>,
    /// Over all calls of one exchange. Default: 50ms.
    #[serde(default)]
    pub(in crate::config) exchange_time: Field<DurationText>,
    /// Of linear memory. Default: 16MiB.
    #[serde(default)]
    pub(in crate::config) memory: Field<SizeText>,
    /// Elements of all tables. Default: 10000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::config) table: Field<u64>,
    /// Of the stack. Default: 512KiB.
    #[serde(default)]
    pub(in crate::config) stack: Field<SizeText>,
    /// Of a buffered body. Default: 1MiB.
    #[serde(default)]
    pub(in crate::config) body: Field<SizeText>,
    /// Of the header fields it may write or answer with. Default: 64KiB.
    #[serde(default)]
    pub(in crate::config) headers: Field<SizeText>,
    /// Of log lines per call. Default: 16KiB.
    #[serde(default)]
    pub(in crate::config) log: Field<SizeText>,
    /// Host calls per call. Default: 10000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(in crate::config) host_calls: Field<u32>,
    /// Fetches per call. Default: 8.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub(in crate::config) fetches: Field<u32>,
    /// Per fetch. Default: 5s.
    #[serde(default)]
    pub(in crate::config) fetch_timeout: Field<DurationText>,
    /// Instances per worker. Default: 128.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) instances: Field<u64>,
    /// An instance is replaced after this many calls. Default: 1000000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64))]
    pub(in crate::config) calls: Field<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::config) enum RawOnError {
    Word(RawOnErrorWord),
    Respond(RawRespond),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawOnErrorWord {
    Deny,
    Allow,
}

/// An answer with this status.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Respond")]
#[schemars(extend("x-expected" = "{ respond = 503 }"))]
pub(in crate::config) struct RawRespond {
    #[schemars(range(min = 400, max = 599), extend("x-expected" = "a status such as 503", "x-aliases" = ["status", "code"]))]
    pub(in crate::config) respond: Field<u16>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::config) enum RawCircuit {
    Word(RawOff),
    Settings(RawCircuitSettings),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawOff {
    Off,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "PluginCircuit")]
#[schemars(extend("x-expected" = "a table such as { faults = 20, window = \"5s\" }"))]
pub(in crate::config) struct RawCircuitSettings {
    /// So many faults. Default: 20.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) faults: Field<u32>,
    /// Within this time. Default: 5s.
    #[serde(default)]
    pub(in crate::config) window: Field<DurationText>,
    /// Open the circuit for so long. Default: 1s.
    #[serde(default)]
    pub(in crate::config) open: Field<DurationText>,
}
