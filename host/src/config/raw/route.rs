//! What was written: chains, routes and consumers.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::plugin::RawOnError;
use super::{List, Named};
use crate::config::field::Field;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Chain")]
#[schemars(extend("x-expected" = "a table such as { steps = [\"auth\"] }"))]
pub(in crate::config) struct RawChain {
    /// Plugins in the order in which a request passes them.
    #[schemars(extend("x-expected" = "an array such as [\"auth\"]", "x-aliases" = ["plugins", "filters", "middlewares"]))]
    pub(in crate::config) steps: List<RawStep>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(in crate::config) enum RawStep {
    /// The name of a plugin.
    #[schemars(extend("x-expected" = "the name of a plugin"))]
    Plugin(String),
    Table(RawStepTable),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Step")]
#[schemars(extend("x-expected" = "a table such as { use = \"auth\" }"))]
pub(in crate::config) struct RawStepTable {
    /// The plugin.
    #[serde(rename = "use")]
    #[schemars(extend("x-expected" = "the name of a plugin", "x-aliases" = ["plugin", "step"]))]
    pub(in crate::config) plugin: Field<String>,
    /// The step's own name. Default: the plugin's.
    #[serde(default)]
    pub(in crate::config) name: Field<String>,
    /// Laid over the plugin's configuration, key by key.
    #[serde(default)]
    pub(in crate::config) config: Field<Map<String, Value>>,
    /// In place of the plugin's.
    #[serde(default)]
    pub(in crate::config) on_error: Field<RawOnError>,
    /// Place this step right after the step of this name.
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of a step"))]
    pub(in crate::config) after: Field<String>,
    /// Place this step right before the step of this name.
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of a step"))]
    pub(in crate::config) before: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Route")]
#[schemars(extend("x-expected" = "a table such as { match = { path = \"/orders/**\" }, to = \"orders\" }"))]
pub(in crate::config) struct RawRoute {
    /// Which requests. Default: all.
    #[serde(default, rename = "match")]
    #[schemars(extend("x-aliases" = ["when", "matches", "rule"]))]
    pub(in crate::config) matches: Field<RawMatch>,
    /// The chain whose steps come first.
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of a chain"))]
    pub(in crate::config) chain: Field<String>,
    /// Steps after those of the chain, or among them with `after` and `before`.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [\"auth\"]", "x-aliases" = ["plugins", "filters", "middlewares"]))]
    pub(in crate::config) steps: List<RawStep>,
    /// The upstream.
    #[schemars(extend("x-expected" = "the name of an upstream", "x-aliases" = ["upstream", "target", "backend", "service"]))]
    pub(in crate::config) to: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Match")]
#[schemars(extend("x-expected" = "a table such as { path = \"/orders/**\" }"))]
pub(in crate::config) struct RawMatch {
    /// One of these: `api.shop.example`, `*.shop.example` or `*`. Default: any.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-aliases" = ["host", "hostnames"]))]
    pub(in crate::config) hosts: List<String>,
    /// `/orders`, `/orders/**`, `/orders/*` or `/orders/{id}`. Default: `/**`.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a path such as \"/orders/**\"", "x-aliases" = ["paths", "prefix", "uri"]))]
    pub(in crate::config) path: Field<String>,
    /// One of these. Default: any.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-aliases" = ["method", "verbs"]))]
    pub(in crate::config) methods: List<String>,
    /// All of these, each with exactly this value.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["header"]))]
    pub(in crate::config) headers: Named<String>,
    /// All of these, each with exactly this value.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["queries", "params"]))]
    pub(in crate::config) query: Named<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Consumer")]
#[schemars(extend("x-expected" = "a table such as { keys = [{ hash = \"sha256:...\" }] }"))]
pub(in crate::config) struct RawConsumer {
    /// The consumer's name in another system.
    #[serde(default)]
    pub(in crate::config) custom_id: Field<String>,
    /// Groups it belongs to.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["group", "roles"]))]
    pub(in crate::config) groups: List<String>,
    /// Its API keys, hashed.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [{ hash = \"sha256:...\" }]", "x-aliases" = ["key", "credentials"]))]
    pub(in crate::config) keys: List<RawKey>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Key")]
#[schemars(extend("x-expected" = "a table such as { hash = \"sha256:...\" }"))]
pub(in crate::config) struct RawKey {
    /// `sha256:HEX`, or `hmac-sha256:HEX` under the pepper.
    #[schemars(extend("x-expected" = "a hash such as \"hmac-sha256:5e88...\", with 64 hexadecimal digits"))]
    pub(in crate::config) hash: Field<String>,
    /// From then on the key is refused.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a date and time such as 2027-01-01T00:00:00Z"))]
    pub(in crate::config) expires: Field<String>,
}
