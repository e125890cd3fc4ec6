//! The configuration, as it is written and as it is meant.

use std::fmt;

use sluice_sdk::prelude::*;

use crate::entry::Defaults;

/// What is kept, for how long, and how it is told apart.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How long a response is fresh that does not say so itself; 0s: such a response is not used without validation.
    #[serde(default = "zero")]
    default_ttl: Duration,
    /// The longest that a response is fresh, whatever it says.
    #[serde(default = "day")]
    max_ttl: Duration,
    /// For how long a stale response with a validator is kept, to be validated.
    #[serde(default = "hour")]
    keep: Duration,
    /// The largest body that is kept, at most 1MiB. With fields of a few KiB it has to fit the store's largest value.
    #[serde(default = "default_max_body")]
    max_body: Size,
    /// Statuses that are kept, of those that RFC 9110 section 15.1 calls cacheable.
    #[serde(default = "default_statuses")]
    statuses: Vec<u16>,
    /// What tells responses apart beside their URI: `consumer`, `header:<name>`, `cookie:<name>`; at most 8.
    #[serde(default)]
    key: Vec<String>,
    /// Query parameters that make no difference, by their names as they are written in the query.
    #[serde(default)]
    ignore_query: Vec<String>,
    /// Whether the order of the query's parameters makes no difference.
    #[serde(default)]
    sort_query: bool,
    /// Whether a response with `Set-Cookie` is kept, without it. Otherwise it is not kept.
    #[serde(default)]
    strip_set_cookie: bool,
    /// Whether clients' `Cache-Control` and `Pragma` are ignored, `no-store` included.
    #[serde(default)]
    ignore_request_directives: bool,
    /// For how long a stale response may be used while one request validates it, if it does not say so itself.
    #[serde(default = "zero")]
    stale_while_revalidate: Duration,
    /// For how long a stale response may be used while the upstream fails, if it does not say so itself.
    #[serde(default = "zero")]
    stale_if_error: Duration,
    /// For how long one who wants what another one is already fetching waits for it, at most 60s; 0s: everyone fetches.
    #[serde(default = "second")]
    wait: Duration,
    /// For how long one who fetches may hold up the others, 1ms to 60s.
    #[serde(default = "lease")]
    lease: Duration,
    /// Whether `Cache-Status` (RFC 9211) tells what happened.
    #[serde(default = "yes")]
    cache_status: bool,
    /// How this cache calls itself in `Cache-Status`.
    #[serde(default = "name")]
    name: String,
    /// A header that tells what happened in one word: `hit`, `miss`, `stale`, `revalidated` or `bypass`.
    status_header: Option<HeaderName>,
}

fn zero() -> Duration {
    Duration::from_secs(0)
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn lease() -> Duration {
    Duration::from_secs(10)
}

fn hour() -> Duration {
    Duration::from_secs(3600)
}

fn day() -> Duration {
    Duration::from_secs(86_400)
}

fn default_max_body() -> Size {
    Size::from_bytes(48 << 10)
}

fn yes() -> bool {
    true
}

fn name() -> String {
    "sluice".to_owned()
}

/// RFC 9110 section 15.1, without 206: pieces are not kept.
const CACHEABLE: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

fn default_statuses() -> Vec<u16> {
    CACHEABLE.to_vec()
}

const MAX_BODY: u64 = 1 << 20;
const MAX_PARTS: usize = 8;
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What tells responses apart beside their URI.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Consumer,
    Header(HeaderName),
    Cookie(String),
}

/// A checked configuration.
pub(crate) struct Settings {
    pub(crate) defaults: Defaults,
    pub(crate) keep: u64,
    pub(crate) max_body: usize,
    pub(crate) statuses: Vec<u16>,
    pub(crate) key: Vec<Part>,
    pub(crate) ignore_query: Vec<String>,
    pub(crate) sort_query: bool,
    pub(crate) strip_set_cookie: bool,
    pub(crate) ignore_request_directives: bool,
    pub(crate) wait: Duration,
    pub(crate) lease: Duration,
    pub(crate) cache_name: Option<String>,
    pub(crate) status_header: Option<HeaderName>,
}

impl Settings {
    pub(crate) fn new(config: Config) -> Result<Self> {
        ensure!(config.max_body.bytes() <= MAX_BODY, "`max_body` is at most 1MiB");
        ensure!(!config.max_ttl.is_zero(), "`max_ttl` is at least 1us");
        ensure!(!config.statuses.is_empty(), "`statuses` is empty: nothing would be kept");
        if let Some(status) = config.statuses.iter().find(|status| !CACHEABLE.contains(status)) {
            bail!("`statuses`: {status} is not one of {CACHEABLE:?}");
        }
        ensure!(config.key.len() <= MAX_PARTS, "`key` has more than {MAX_PARTS} members");
        ensure!(config.wait <= MAX_WAIT, "`wait` is at most 60s");
        ensure!(!config.lease.is_zero() && config.lease <= MAX_WAIT, "`lease` is 1ms to 60s");
        // A token, as RFC 9651 section 3.3.4 has it.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
        let begins =
            config.name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'*');
        ensure!(
            begins && config.name.len() <= 64 && config.name.bytes().all(is_token),
            "`name`: `{}` is not a token of structured fields",
            config.name
        );
        Ok(Self {
            defaults: Defaults {
                ttl: config.default_ttl.as_millis(),
                max_ttl: config.max_ttl.as_millis(),
                while_revalidate: config.stale_while_revalidate.as_millis(),
                if_error: config.stale_if_error.as_millis(),
            },
            keep: config.keep.as_millis(),
            max_body: usize::try_from(config.max_body.bytes()).context("`max_body`")?,
            statuses: config.statuses,
            key: config.key.iter().map(|text| Part::parse(text).context("`key`")).collect::<Result<_>>()?,
            ignore_query: config.ignore_query,
            sort_query: config.sort_query,
            strip_set_cookie: config.strip_set_cookie,
            ignore_request_directives: config.ignore_request_directives,
            wait: config.wait,
            lease: config.lease,
            cache_name: config.cache_status.then_some(config.name),
            status_header: config.status_header,
        })
    }
}

/// As the configuration writes it.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer => f.write_str("consumer"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text.split_once(':') {
            None if text == "consumer" => Self::Consumer,
            Some(("header", name)) => Self::Header(name.parse()?),
            Some(("cookie", name)) if !name.is_empty() => Self::Cookie(name.to_owned()),
            _ => bail!("`{text}` is no part: known are `consumer`, `header:<name>` and `cookie:<name>`"),
        })
    }
}
