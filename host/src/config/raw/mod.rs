//! What was written: the tables of `gateway.toml`, from which the JSON Schema is derived.
//!
//! Unknown keys are refused by the schema and not by serde, so that one of them does not hide the other problems.

mod consumer;
mod edge;
mod jwks;
mod metering;
mod plan;
mod plugin;
mod route;
mod tls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::field::{DurationText, Field, SizeText};

pub(super) use consumer::{RawConsumer, RawKey, RawPassword, RawSignatureKey, RawToken};
pub(super) use edge::{
    RawDotSegments, RawEmptySegments, RawListener, RawProtocol, RawProxyProtocol, RawRefuseOrKeep, RawServe,
    RawTarget, RawUpstream,
};
pub(super) use jwks::RawKeySet;
pub(super) use metering::{
    RawAggregation, RawDurability, RawFormat, RawGateway, RawLedger, RawMeter, RawOnLedgerFailure, RawSink,
    RawUnanswered,
};
pub(super) use plan::{RawCharge, RawFeePeriod, RawModel, RawPeriod, RawPlan, RawRounding, RawTier};
pub(super) use plugin::{RawCircuit, RawIsolation, RawLimits, RawOnError, RawOnErrorWord, RawPlugin};
pub(super) use route::{RawChain, RawMatch, RawRoute, RawRouteServe, RawStep, RawStepTable};
pub(super) use tls::{RawClientAuth, RawListenerTls, RawTlsVersion, RawUnknownSni};

/// Tables by name.
pub(super) type Named<T> = Field<BTreeMap<String, Field<T>>>;
/// An array.
pub(super) type List<T> = Field<Vec<Field<T>>>;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Gateway")]
pub(in crate::config) struct RawConfig {
    /// The version of this language: 1. The main file names it; included files may.
    #[serde(default)]
    #[schemars(extend("const" = 1, "x-expected" = "1, the only version so far"))]
    pub(in crate::config) version: Field<u64>,
    /// Further files, relative to this one. `*` stands for any text in a file's name.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [\"conf.d/*.toml\"]"))]
    pub(in crate::config) include: List<String>,
    /// Which gateway this is.
    #[serde(default)]
    pub(in crate::config) gateway: Field<RawGateway>,
    /// Threads that serve traffic. Default: as many as the machine runs at once.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub(in crate::config) workers: Field<u64>,
    /// Size of all bodies together that steps take whole; more are answered 503. Default: 256MiB.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["max_memory", "buffer_limit"]))]
    pub(in crate::config) buffered_bytes: Field<SizeText>,
    /// Addresses that the gateway listens on.
    #[serde(default)]
    pub(in crate::config) listeners: Named<RawListener>,
    /// Services behind the gateway.
    #[serde(default)]
    pub(in crate::config) upstreams: Named<RawUpstream>,
    /// WebAssembly modules and what they may do.
    #[serde(default)]
    pub(in crate::config) plugins: Named<RawPlugin>,
    /// Lists of steps that routes share.
    #[serde(default)]
    pub(in crate::config) chains: Named<RawChain>,
    /// Which requests go where.
    #[serde(default)]
    pub(in crate::config) routes: Named<RawRoute>,
    /// What is counted.
    #[serde(default)]
    pub(in crate::config) meters: Named<RawMeter>,
    /// What consumers pay, and how much they may use.
    #[serde(default)]
    pub(in crate::config) plans: Named<RawPlan>,
    /// Who calls the API.
    #[serde(default)]
    pub(in crate::config) consumers: Named<RawConsumer>,
    /// How API keys are hashed.
    #[serde(default)]
    pub(in crate::config) credentials: Field<RawCredentials>,
    /// Public keys of those who issue tokens, for plugins that are granted `jwks:NAME`.
    #[serde(default)]
    pub(in crate::config) jwks: Named<RawKeySet>,
    /// Values for plugins that are granted `secret:NAME`. Write them as `${env:NAME}` or `${file:PATH}`.
    #[serde(default)]
    pub(in crate::config) secrets: Named<String>,
    /// Shared counters and values: `docs/store.md`.
    #[serde(default)]
    pub(in crate::config) store: Field<RawStore>,
    /// How what is metered is kept; where is `ledger` of `[store]`.
    #[serde(default)]
    pub(in crate::config) ledger: Field<RawLedger>,
    /// Where what is metered is sent.
    #[serde(default)]
    pub(in crate::config) sinks: Named<RawSink>,
    /// How changes on disk take effect.
    #[serde(default)]
    pub(in crate::config) reload: Field<RawReload>,
    /// Logs.
    #[serde(default)]
    pub(in crate::config) telemetry: Field<RawTelemetry>,
    /// Compiled plugins.
    #[serde(default)]
    pub(in crate::config) cache: Field<RawCache>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Credentials")]
#[schemars(extend("x-expected" = "a table such as { pepper = \"${env:PEPPER}\" }"))]
pub(in crate::config) struct RawCredentials {
    /// The key of the HMAC under which API keys are stored. Write it as `${env:NAME}` or `${file:PATH}`.
    #[serde(default)]
    pub(in crate::config) pepper: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Store")]
#[schemars(extend("x-expected" = "a table such as { counters = \"memory\" }"))]
pub(in crate::config) struct RawStore {
    /// Where counters and values live: `memory`, or a Redis or Valkey server that several gateways share, as
    /// `redis://user:password@host:6379/0` or `rediss://...`. Default: `memory`.
    #[serde(default)]
    #[schemars(extend("x-expected" = "\"memory\" or a URL such as \"redis://redis.internal:6379\"", "x-aliases" = ["url", "redis"]))]
    pub(in crate::config) counters: Field<String>,
    /// The share of each quota that every gateway buys ahead, above 0 and at most 1: fewer questions, and a bounded overshoot.
    /// Default: none, every request is counted by the server.
    #[serde(default)]
    #[schemars(range(max = 1.0))]
    pub(in crate::config) lease: Field<f64>,
    /// Of one question to the server; an exchange waits twice that in all. Default: 25ms.
    #[serde(default)]
    pub(in crate::config) timeout: Field<DurationText>,
    /// What becomes of a request that cannot be counted because the server is away: `local` counts it in this gateway alone,
    /// `deny` refuses it, `allow` lets it pass. Default: `local`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["on_error"]))]
    pub(in crate::config) on_store_error: Field<RawOnStoreError>,
    /// What the names of all keys on the server begin with. Default: `sluice:`.
    #[serde(default)]
    pub(in crate::config) prefix: Field<String>,
    /// Certificates that are trusted beside the system's for `rediss://`, in PEM: `${file:ca.pem}`.
    #[serde(default)]
    pub(in crate::config) ca: Field<String>,
    /// Counters and values at most. Default: 1000000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::config) max_entries: Field<u64>,
    /// Of one value. Default: 64KiB.
    #[serde(default)]
    pub(in crate::config) max_value: Field<SizeText>,
    /// Where what is metered is kept: a file, relative to this one, or a PostgreSQL server that several gateways share, as
    /// `postgres://user:password@host/database`. Default: none, and then there are no meters.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a URL such as \"sqlite:data/ledger.db\"", "x-aliases" = ["usage", "metering"]))]
    pub(in crate::config) ledger: Field<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawOnStoreError {
    Local,
    Deny,
    Allow,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Reload")]
#[schemars(extend("x-expected" = "a table such as { watch = true }"))]
pub(in crate::config) struct RawReload {
    /// Whether changed files take effect by themselves. Default: true.
    #[serde(default)]
    pub(in crate::config) watch: Field<bool>,
    /// How long running exchanges may take to finish when the gateway stops. Default: 30s.
    #[serde(default)]
    pub(in crate::config) drain: Field<DurationText>,
    /// How long the files must be quiet before they are read. Default: 100ms.
    #[serde(default)]
    pub(in crate::config) debounce: Field<DurationText>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Telemetry")]
#[schemars(extend("x-expected" = "a table such as { log = \"info\" }"))]
pub(in crate::config) struct RawTelemetry {
    /// What is logged: a level, or levels by module such as `info,sluice=debug`. Default: `info`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["level", "log_level"]))]
    pub(in crate::config) log: Field<String>,
    /// Default: `text`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["log_format"]))]
    pub(in crate::config) format: Field<RawLogFormat>,
    /// A JSON line per exchange: `stdout` (the default), `off` or `{ file = "access.log" }`.
    #[serde(default)]
    pub(in crate::config) access_log: Field<RawAccessLog>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawLogFormat {
    Text,
    Json,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::config) enum RawAccessLog {
    Word(RawAccessLogWord),
    File(RawAccessLogFile),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawAccessLogWord {
    Off,
    Stdout,
}

/// A file, relative to this one.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "AccessLogFile")]
#[schemars(extend("x-expected" = "{ file = \"access.log\" }"))]
pub(in crate::config) struct RawAccessLogFile {
    #[schemars(extend("x-expected" = "the path of a file", "x-aliases" = ["path"]))]
    pub(in crate::config) file: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Cache")]
#[schemars(extend("x-expected" = "a table such as { dir = \"/var/cache/sluice\" }"))]
pub(in crate::config) struct RawCache {
    /// A directory that only the gateway owns.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["path", "directory"]))]
    pub(in crate::config) dir: Field<String>,
}
