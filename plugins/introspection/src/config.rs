//! The configuration as it is written.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{ClaimPath, ConsumerConfig};

/// Whom to ask about tokens, what they have to be, and what becomes of the answer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Upstream of the authorization server. Grant `fetch:<upstream>`.
    pub(crate) upstream: String,
    /// Path of its introspection endpoint.
    #[serde(default = "default_path")]
    pub(crate) path: String,
    /// Who the gateway is at the authorization server. Without a secret it is only told, for servers that know the gateway by its
    /// address or by a proxy between them.
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    /// The secret of `client_id`: write `"${file:...}"` or `"${env:...}"`.
    #[serde(default)]
    pub(crate) client_secret: Option<String>,
    /// How the secret is sent.
    #[serde(default)]
    pub(crate) client_authentication: ClientAuthentication,
    /// Instead of `client_id`, the whole value of `Authorization`: `"Bearer ${file:...}"`.
    #[serde(default)]
    pub(crate) credential: Option<HeaderValue>,
    /// What the server is told that the token is, so that it finds it sooner; nothing if empty.
    #[serde(default = "default_hint")]
    pub(crate) token_type_hint: String,
    /// How long the server may take, at most `30s`. The step's `fetch_timeout` (5s) caps it.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: Duration,
    /// How long an active token is not asked about again, at most `1h`: as long may one be used that was revoked.
    #[serde(default = "default_cache")]
    pub(crate) cache: Duration,
    /// How long a token that is not active is not asked about again, at most `1h`.
    #[serde(default = "default_negative_cache")]
    pub(crate) negative_cache: Duration,
    /// How much longer than `cache` an answer serves while the server cannot be asked, at most `1h`.
    #[serde(default = "default_stale")]
    pub(crate) stale_if_error: Duration,
    /// Header that carries the token: `authorization` after `Bearer`, any other the token alone.
    #[serde(default = "default_header")]
    pub(crate) header: HeaderName,
    /// Whether the token is taken away before the request goes to the upstream.
    #[serde(default = "yes")]
    pub(crate) hide: bool,
    /// One of these has to be in `aud`; not looked at if not given.
    #[serde(default)]
    pub(crate) audiences: OneOrMany<String>,
    /// `iss` has to be one of these; not looked at if not given.
    #[serde(default)]
    pub(crate) issuers: OneOrMany<String>,
    /// `client_id`, to whom the token was given, has to be one of these; not looked at if not given.
    #[serde(default)]
    pub(crate) clients: OneOrMany<String>,
    /// `token_type` has to be one of these, in any case; not looked at if not given.
    #[serde(default)]
    pub(crate) token_types: OneOrMany<String>,
    /// Scopes that the token has to have, all of them.
    #[serde(default)]
    pub(crate) required_scopes: Vec<String>,
    /// How far clocks may be apart, at most `5m`.
    #[serde(default = "default_leeway")]
    pub(crate) leeway: Duration,
    /// Headers that tell the upstream a claim. The client's own of these names are always taken away.
    #[serde(default)]
    pub(crate) claims_to_headers: BTreeMap<HeaderName, ClaimPath>,
    /// How the consumer is found.
    #[serde(default)]
    pub(crate) consumer: Option<ConsumerConfig>,
    /// Consumer as whom a request without a token is let in. A token that is not accepted is refused all the same.
    #[serde(default)]
    pub(crate) anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default)]
    pub(crate) realm: auth::Realm,
}

fn default_path() -> String {
    "/introspect".to_owned()
}

fn default_hint() -> String {
    "access_token".to_owned()
}

fn default_timeout() -> Duration {
    Duration::from_secs(2)
}

fn default_cache() -> Duration {
    Duration::from_secs(60)
}

fn default_negative_cache() -> Duration {
    Duration::from_secs(10)
}

fn default_stale() -> Duration {
    Duration::from_secs(0)
}

fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

fn default_header() -> HeaderName {
    HeaderName::from_static("authorization")
}

fn yes() -> bool {
    true
}

/// How a client tells its secret (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// In `Authorization: Basic`.
    #[default]
    Basic,
    /// In the body.
    Post,
}
