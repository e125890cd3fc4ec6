//! What was written: key sets.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::field::{DurationText, Field};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "KeySet")]
#[schemars(extend("x-expected" = "a table such as { issuer = \"https://login.example\" }"))]
pub(in crate::config) struct RawKeySet {
    /// The OpenID provider whose keys these are, found by discovery.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a URL such as \"https://login.example\"", "x-aliases" = ["iss", "discovery"]))]
    pub(in crate::config) issuer: Field<String>,
    /// Or where the set is.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a URL such as \"https://login.example/jwks.json\"", "x-aliases" = ["jwks_uri", "uri"]))]
    pub(in crate::config) url: Field<String>,
    /// Or the set itself, as JSON: `${file:jwks.json}`.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a key set as JSON, such as \"${file:jwks.json}\""))]
    pub(in crate::config) keys: Field<String>,
    /// Certificates that are trusted beside the system's when it is fetched, in PEM: `${file:ca.pem}`.
    #[serde(default)]
    pub(in crate::config) ca: Field<String>,
    /// How long a set is used before it is fetched anew, unless its answer says less. Default: 10m.
    #[serde(default)]
    pub(in crate::config) refresh: Field<DurationText>,
    /// The least time between two fetches that unknown keys ask for, and between two that fail. Until then, recent tokens with
    /// unknown keys are answered 503. Default: 30s.
    #[serde(default)]
    pub(in crate::config) cooldown: Field<DurationText>,
    /// Of one fetch. Default: 5s.
    #[serde(default)]
    pub(in crate::config) timeout: Field<DurationText>,
    /// How long a set is still used when it cannot be fetched anew. Default: 24h.
    #[serde(default)]
    pub(in crate::config) max_stale: Field<DurationText>,
}
