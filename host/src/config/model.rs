//! What the configuration means: valid by construction, and comparable, so that a reload can tell what changed.

mod listener;
mod metering;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use sluice_metering::Timestamp;
use sluice_metering::meter::Meter;
use sluice_metering::plan::Plan;

pub(crate) use metering::{
    Durability, FileFormat, HttpFormat, Ledger, LedgerLocation, OnLedgerFailure, Sink, SinkKind,
};

pub(crate) use listener::{
    DotSegments, EmptySegments, Listener, ListenerLimits, ListenerTimeouts, PathRules, Protocols, Serve,
};
pub(crate) use tls::{CertificatePair, ClientAuth, ListenerTls, Pem, TlsVersions, UnknownSni};

use super::assets::Assets;
use super::pattern::RouteMatch;
use super::problem::Place;
use super::value::ConfigValue;

/// Everything that was configured, from all files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// Part of the identity of everything that this gateway meters: letters, digits, `-`, `_` and `.`.
    pub(crate) gateway_id: Arc<str>,
    pub(crate) workers: NonZeroUsize,
    /// Bytes of bodies that steps take whole, over all workers.
    pub(crate) buffered_bytes: usize,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
    pub(crate) plugins: BTreeMap<Arc<str>, Arc<Plugin>>,
    pub(crate) routes: Vec<Route>,
    /// A meter's number is its place in this order.
    pub(crate) meters: BTreeMap<Arc<str>, Arc<Meter>>,
    /// Where they are configured.
    pub(crate) meter_places: BTreeMap<Arc<str>, Place>,
    pub(crate) plans: BTreeMap<Arc<str>, Arc<Plan>>,
    pub(crate) consumers: Vec<Consumer>,
    /// The key of the HMAC under which API keys are stored.
    pub(crate) pepper: Option<Secret>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) jwks: BTreeMap<Arc<str>, KeySet>,
    pub(crate) store: Store,
    /// The server that counters and values are on; in memory if none.
    pub(crate) remote_store: Option<RemoteStore>,
    /// There is one if anything is metered.
    pub(crate) ledger: Option<Ledger>,
    /// Sorted by name.
    pub(crate) sinks: Vec<Sink>,
    pub(crate) reload: Reload,
    pub(crate) telemetry: Telemetry,
    pub(crate) cache: Cache,
    /// Every file that was read, and the directory of every include pattern: what to watch.
    pub(crate) files: Vec<PathBuf>,
    /// SHA-256 in hex over the bytes of all those files.
    pub(crate) digest: String,
    /// Files that plugins are given with their configurations.
    pub(crate) assets: Assets,
}

/// A service behind the gateway.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    /// At least one.
    pub(crate) targets: Vec<Target>,
    /// What its targets speak.
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) timeouts: UpstreamTimeouts,
    /// Idle connections kept per worker and target.
    pub(crate) max_idle: usize,
}

/// What the targets of an upstream speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UpstreamProtocol {
    #[default]
    H1,
    /// By prior knowledge.
    H2,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// A name or an address; an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// 1 or more.
    pub(crate) weight: u32,
}

/// How long an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamTimeouts {
    pub(crate) connect: Duration,
    /// Until the response head.
    pub(crate) request: Duration,
    /// How long an unused connection is kept.
    pub(crate) idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            request: Duration::from_secs(15),
            idle: Duration::from_secs(60),
        }
    }
}

/// A WebAssembly module and what it may do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plugin {
    pub(crate) name: Arc<str>,
    /// Resolved against the directory of the file that names it.
    pub(crate) module: PathBuf,
    pub(crate) module_place: Place,
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) capabilities: BTreeSet<Capability>,
    pub(crate) capability_place: Option<Place>,
    pub(crate) isolation: Isolation,
    pub(crate) limits: Limits,
    pub(crate) on_error: OnError,
    /// `None`: no circuit.
    pub(crate) circuit: Option<CircuitSettings>,
    pub(crate) config: ConfigValue,
}

/// A right that a plugin was granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Capability {
    Log,
    Clock,
    Random,
    Store,
    Consumers,
    Crypto,
    /// To record on meters.
    Meter,
    /// To call this upstream.
    Fetch(Arc<str>),
    /// To use this secret.
    Secret(Arc<str>),
    /// To verify with this key set.
    Jwks(Arc<str>),
}

impl Capability {
    /// The kind, without the name after a colon: what a plugin's descriptor wants.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Store => "store",
            Self::Consumers => "consumers",
            Self::Crypto => "crypto",
            Self::Meter => "meter",
            Self::Fetch(_) => "fetch",
            Self::Secret(_) => "secret",
            Self::Jwks(_) => "jwks",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
            Self::Store => f.write_str("store"),
            Self::Consumers => f.write_str("consumers"),
            Self::Crypto => f.write_str("crypto"),
            Self::Meter => f.write_str("meter"),
            Self::Fetch(upstream) => write!(f, "fetch:{upstream}"),
            Self::Secret(name) => write!(f, "secret:{name}"),
            Self::Jwks(name) => write!(f, "jwks:{name}"),
        }
    }
}

/// Whether exchanges may share an instance of a plugin, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Shared,
    /// A fresh instance for each exchange.
    Exchange,
}

/// What a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Per call.
    pub(crate) time: Duration,
    /// Over all calls of one exchange.
    pub(crate) exchange_time: Duration,
    /// Bytes of linear memory.
    pub(crate) memory: usize,
    /// Elements of all tables.
    pub(crate) table: usize,
    /// Bytes of the stack.
    pub(crate) stack: usize,
    /// Bytes of a buffered body.
    pub(crate) body: usize,
    /// Bytes of header fields that a plugin may write or answer with.
    pub(crate) headers: usize,
    /// Bytes of log lines per call.
    pub(crate) log: usize,
    /// Host calls per call.
    pub(crate) host_calls: u32,
    /// Fetches per call.
    pub(crate) fetches: u32,
    pub(crate) fetch_timeout: Duration,
    /// Instances per worker.
    pub(crate) instances: usize,
    /// An instance is replaced after this many calls.
    pub(crate) calls: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(10),
            exchange_time: Duration::from_millis(50),
            memory: 16 << 20,
            table: 10_000,
            stack: 512 << 10,
            body: 1 << 20,
            headers: 64 << 10,
            log: 16 << 10,
            host_calls: 10_000,
            fetches: 8,
            fetch_timeout: Duration::from_secs(5),
            instances: 128,
            calls: 1_000_000,
        }
    }
}

/// What becomes of an exchange whose step faulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    Deny,
    Allow,
    Respond(StatusCode),
}

/// When a plugin that keeps faulting is left out of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CircuitSettings {
    /// So many faults ...
    pub(crate) faults: u32,
    /// ... within this time open the circuit ...
    pub(crate) window: Duration,
    /// ... for this long.
    pub(crate) open: Duration,
}

impl Default for CircuitSettings {
    fn default() -> Self {
        Self { faults: 20, window: Duration::from_secs(5), open: Duration::from_secs(1) }
    }
}

/// Which requests go where, and through which steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    pub(crate) matches: RouteMatch,
    /// The chain's steps with the route's own among them; names are unique.
    pub(crate) steps: Vec<Step>,
    /// Steps that stand for each other, in their order: the places of each alternative's steps.
    pub(crate) groups: Vec<Vec<Range<usize>>>,
    pub(crate) destination: Destination,
    /// Protocols that a connection may go over to, if it says so.
    pub(crate) upgrades: Option<Arc<[Box<str>]>>,
}

/// What answers the requests of a route that pass its steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Destination {
    Upstream(Arc<Upstream>),
    /// The gateway itself: with what the consumer used.
    Usage,
}

/// One use of a plugin in a route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: Arc<str>,
    pub(crate) plugin: Arc<Plugin>,
    /// The plugin's configuration with the step's own laid over it, key by key.
    pub(crate) config: ConfigValue,
    pub(crate) on_error: OnError,
    pub(crate) place: Place,
}

/// Public keys of those who issue tokens, by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeySet {
    pub(crate) place: Place,
    pub(crate) source: KeySource,
    /// Certificates in PEM that are trusted beside the system's.
    pub(crate) ca: Option<String>,
    pub(crate) refresh: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_stale: Duration,
}

/// Where a key set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// By discovery at an OpenID provider.
    Issuer(String),
    Url(String),
    /// The set itself.
    Keys(String),
}

/// Someone who calls the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(crate) name: Arc<str>,
    /// The name, unless another was given.
    pub(crate) id: String,
    pub(crate) custom_id: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) keys: Vec<Key>,
    /// Hashes of `user:password`, identified by the user.
    pub(crate) passwords: Vec<Key>,
    pub(crate) tokens: Vec<Token>,
    /// Names in certificates, and fingerprints.
    pub(crate) certificates: Vec<String>,
    pub(crate) signatures: Vec<SignatureKey>,
    /// The plan that it is on; one of the configuration's.
    pub(crate) plan: Option<Arc<str>>,
    /// Since when, if that was written.
    pub(crate) plan_since: Option<Timestamp>,
}

/// A consumer's API key or password, of which nothing is kept but its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// HMAC-SHA-256 under the pepper, which is then configured.
    pub(crate) digest: [u8; 32],
    pub(crate) id: String,
    pub(crate) expires: Option<SystemTime>,
}

/// Whose tokens are a consumer's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    /// Any if none.
    pub(crate) issuer: Option<String>,
    pub(crate) subject: String,
}

/// A key with which a consumer signs requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignatureKey {
    pub(crate) id: String,
    pub(crate) material: KeyMaterial,
    pub(crate) expires: Option<SystemTime>,
}

/// What a signature is verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyMaterial {
    Secret(Secret),
    /// PEM or JWK, which can be read.
    Public(String),
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(value: impl Into<Arc<str>>) -> Self {
        Self(value.into())
    }

    /// The value, for the one who computes with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Bounds of the shared counters and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) entries: usize,
    /// Bytes of one value.
    pub(crate) value: usize,
}

/// A Redis or Valkey server that holds counters and values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoteStore {
    pub(crate) place: Place,
    /// With the password in it.
    pub(crate) url: Secret,
    /// Certificates in PEM that are trusted beside the system's.
    pub(crate) ca: Option<String>,
    pub(crate) prefix: String,
    pub(crate) timeout: Duration,
    /// The share of a quota that each gateway may buy ahead.
    pub(crate) lease: Option<f64>,
    pub(crate) on_error: OnStoreError,
}

/// What becomes of a take when the server cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnStoreError {
    #[default]
    Local,
    Deny,
    Allow,
}

impl Default for Store {
    fn default() -> Self {
        Self { entries: 1_000_000, value: 64 << 10 }
    }
}

/// How changes on disk take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reload {
    pub(crate) watch: bool,
    /// How long running exchanges may take to finish when the gateway stops.
    pub(crate) drain: Duration,
    /// How long the files must be quiet before they are read.
    pub(crate) debounce: Duration,
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true, drain: Duration::from_secs(30), debounce: Duration::from_millis(100) }
    }
}

/// What the gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telemetry {
    /// A filter such as `info` or `info,sluice=debug`.
    pub(crate) log: String,
    pub(crate) format: LogFormat,
    pub(crate) access_log: AccessLog,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log: "info".to_owned(), format: LogFormat::Text, access_log: AccessLog::Stdout }
    }
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where the line of each exchange goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    Stdout,
    File(PathBuf),
}

/// Where compiled plugins are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cache {
    /// `None`: the place that `wasm/` chooses.
    pub(crate) dir: Option<PathBuf>,
}
