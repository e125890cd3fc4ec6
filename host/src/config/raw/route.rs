//! What was written: chains and routes.

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
    #[serde(default, rename = "use")]
    #[schemars(extend("x-expected" = "the name of a plugin", "x-aliases" = ["plugin", "step"]))]
    pub(in crate::config) plugin: Field<String>,
    /// In place of `use`: steps of which one has to let the request pass, tried in this order. Each is a step, or
    /// `{ all_of = [...] }`.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-expected" = "an array such as [\"jwt\", \"api-key\"]", "x-aliases" = ["any", "one_of", "or"]))]
    pub(in crate::config) any_of: List<RawStep>,
    /// In place of `use`: steps all of which have to let the request pass, for the same consumer.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-expected" = "an array such as [\"mtls\", \"jwt\"]", "x-aliases" = ["all", "and"]))]
    pub(in crate::config) all_of: List<RawStep>,
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

impl RawStepTable {
    /// Whether it is a group of steps and no step.
    pub(in crate::config) const fn is_group(&self) -> bool {
        !matches!((&self.any_of, &self.all_of), (Field::Absent, Field::Absent))
    }

    /// The keys that make no sense in a group, and whether they are there.
    pub(in crate::config) fn written_beside_a_group(&self) -> [(&'static str, bool); 6] {
        [
            ("use", !matches!(self.plugin, Field::Absent)),
            ("name", !matches!(self.name, Field::Absent)),
            ("config", !matches!(self.config, Field::Absent)),
            ("on_error", !matches!(self.on_error, Field::Absent)),
            ("after", !matches!(self.after, Field::Absent)),
            ("before", !matches!(self.before, Field::Absent)),
        ]
    }
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
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of an upstream", "x-aliases" = ["upstream", "target", "backend", "service"]))]
    pub(in crate::config) to: Field<String>,
    /// In place of `to`: the gateway itself answers, with what the consumer used.
    #[serde(default)]
    pub(in crate::config) serve: Field<RawRouteServe>,
    /// Protocols that a connection may go over to, as in `Upgrade`. Default: `["websocket"]`, and none where a step takes the
    /// request's body.
    #[serde(default)]
    #[schemars(extend("x-expected" = "an array such as [\"websocket\"]", "x-aliases" = ["upgrades", "websocket", "websockets"]))]
    pub(in crate::config) upgrade: List<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawRouteServe {
    Usage,
}

impl RawRoute {
    /// Its keys: one that is none of them may stand for any of them.
    pub(in crate::config) const KEYS: [&str; 6] = ["match", "chain", "steps", "to", "serve", "upgrade"];
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
