//! The configuration as it is written.

use sluice_sdk::prelude::*;

/// Whom to ask, what to tell, and what becomes of the answer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Upstream of the service. Grant `fetch:<upstream>`.
    pub(crate) upstream: String,
    /// Path at which every request is asked about, with a query if it needs one.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// Instead of `path`: what stands before the request's own path and query.
    #[serde(default)]
    pub(crate) path_prefix: Option<String>,
    /// Method to ask with; `GET` if not given, `POST` if the body is sent.
    #[serde(default)]
    pub(crate) method: Option<Method>,
    /// Headers of the request that the service is told; `*` at the end of one stands for the rest of the name.
    #[serde(default = "default_headers")]
    #[schemars(length(max = MAX_HEADERS))]
    pub(crate) headers: Vec<HeaderName>,
    /// Sends the request's body too. It is read to its end before.
    #[serde(default)]
    pub(crate) body: Option<BodyConfig>,
    /// How long the service may take, at most `30s`. The step's `fetch_timeout` (5s) caps it.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: Duration,
    /// Headers of a permitting answer that the upstream gets. The client's own of these names are always taken away.
    #[serde(default)]
    #[schemars(length(max = MAX_HEADERS))]
    pub(crate) allow_headers: Vec<HeaderName>,
    /// Headers of a permitting answer that are added to the response, such as `set-cookie`.
    #[serde(default)]
    #[schemars(length(max = MAX_HEADERS))]
    pub(crate) response_headers: Vec<HeaderName>,
    /// Headers of a refusing answer that the client gets; `content-type` comes with a body by itself.
    #[serde(default = "default_client_headers")]
    #[schemars(length(max = MAX_HEADERS))]
    pub(crate) client_headers: Vec<HeaderName>,
    /// Status of the answer where the service cannot be asked or fails: 400 to 599. The request never passes.
    #[serde(default = "default_status")]
    #[schemars(range(min = 400, max = 599))]
    pub(crate) status: u16,
    /// How long a permission serves for requests that are the same in all that the service is told, at most `10m`; `0s` for not.
    #[serde(default = "default_cache")]
    pub(crate) cache: Duration,
}

/// Entries of each list of headers.
pub(crate) const MAX_HEADERS: usize = 32;

/// How the body is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyConfig {
    /// The longest, at most `1MiB`; a request with a longer one is refused.
    #[serde(default = "default_max")]
    pub(crate) max: Size,
}

fn default_headers() -> Vec<HeaderName> {
    ["authorization", "cookie", "x-forwarded-*"].map(HeaderName::from_static).into()
}

fn default_client_headers() -> Vec<HeaderName> {
    ["www-authenticate", "location", "retry-after", "cache-control"].map(HeaderName::from_static).into()
}

fn default_timeout() -> Duration {
    Duration::from_secs(2)
}

fn default_status() -> u16 {
    503
}

fn default_cache() -> Duration {
    Duration::from_secs(0)
}

fn default_max() -> Size {
    Size::from_bytes(64 << 10)
}
