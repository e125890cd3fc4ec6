//! What the operator says.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_graphql::OperationKind;

use crate::persisted::PersistedConfig;

/// How much a GraphQL request may ask for. Every operation of a request has to be within all of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether requests that are too much are refused, or let through and logged.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Operations that are served.
    #[serde(default = "default_operations")]
    pub(crate) operations: Vec<Kind>,
    /// Whether queries may come with `GET`. Mutations never may.
    #[serde(default = "yes")]
    pub(crate) get: bool,
    /// Whether `__schema` and `__type` may be asked for.
    #[serde(default)]
    pub(crate) introspection: bool,
    /// Fields within one another.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) max_depth: u64,
    /// Fields, each counted wherever a fragment brings it.
    #[serde(default = "default_fields")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) max_fields: u64,
    /// Fields that are not within others.
    #[serde(default = "default_root_fields")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) max_root_fields: u64,
    /// Fields under another name, counted as those of `max_fields`.
    #[serde(default = "default_aliases")]
    #[schemars(range(max = 1_000_000))]
    pub(crate) max_aliases: u64,
    /// Directives, counted as those of `max_fields`.
    #[serde(default = "default_directives")]
    #[schemars(range(max = 1_000_000))]
    pub(crate) max_directives: u64,
    /// Tokens of one document.
    #[serde(default = "default_tokens")]
    #[schemars(range(min = 3, max = 100_000))]
    pub(crate) max_tokens: usize,
    /// Bytes of one document.
    #[serde(default = "default_query_size")]
    pub(crate) max_query_size: Size,
    /// Operations of one request. More than one come in an array.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) max_batch: usize,
    /// JSON values in the variables of one request.
    #[serde(default = "default_values")]
    #[schemars(range(max = 100_000))]
    pub(crate) max_values: usize,
    /// What operations cost.
    #[serde(default)]
    pub(crate) cost: CostConfig,
    /// Request header that tells later steps and the upstream the cost.
    #[serde(default)]
    pub(crate) cost_header: Option<HeaderName>,
    /// Documents that are known, which clients may refer to.
    #[serde(default)]
    pub(crate) persisted: Option<PersistedConfig>,
    /// Further members of a request's JSON, and parameters of its URL, that may be there. They pass unread.
    #[serde(default)]
    pub(crate) extra_members: Vec<String>,
}

/// What an operation costs: a field its weight and what is selected in it, times the items that it has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostConfig {
    /// What one request may cost, its operations together.
    #[serde(default = "default_cost")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) max: u64,
    /// Weight of a field that something is selected of.
    #[serde(default = "one")]
    #[schemars(range(max = 1_000_000))]
    pub(crate) object: u64,
    /// Weight of any other field.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub(crate) leaf: u64,
    /// Weights of fields by name, such as `{ search = 10 }`.
    #[serde(default)]
    pub(crate) weights: BTreeMap<String, u64>,
    /// Items that fields by name are taken to have if no argument says how many, such as `{ friends = 50 }`.
    #[serde(default)]
    pub(crate) sizes: BTreeMap<String, u64>,
    /// Arguments that say how many items a field has: a whole number, or a list of as many. A dot leads into an object: `page.limit`.
    #[serde(default = "default_size_arguments")]
    pub(crate) size_arguments: Vec<String>,
    /// Items that may be asked for by one argument.
    #[serde(default = "default_items")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) max_items: u64,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            max: default_cost(),
            object: one(),
            leaf: 0,
            weights: BTreeMap::new(),
            sizes: BTreeMap::new(),
            size_arguments: default_size_arguments(),
            max_items: default_items(),
        }
    }
}

/// What becomes of requests that are too much.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Enforce,
    Report,
}

/// What an operation does.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Query,
    Mutation,
    Subscription,
}

impl From<OperationKind> for Kind {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Query => Self::Query,
            OperationKind::Mutation => Self::Mutation,
            OperationKind::Subscription => Self::Subscription,
        }
    }
}

impl Config {
    /// What the schema cannot say.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.operations.is_empty(), "`operations` is empty: nothing would be served");
        let size = self.max_query_size.bytes();
        ensure!((2..=1 << 20).contains(&size), "`max_query_size` lies between \"2B\" and \"1MiB\"");
        if let Some(name) = &self.cost_header {
            ensure!(!name.is_reserved(), "`cost_header`: `{name}` is the gateway's");
        }
        let known = |name: &&String| crate::request::MEMBERS.contains(&name.as_str());
        if let Some(name) = self.extra_members.iter().find(known) {
            bail!("`extra_members`: `{name}` has a meaning");
        }
        for (key, names) in [("weights", &self.cost.weights), ("sizes", &self.cost.sizes)] {
            for (name, number) in names {
                ensure!(is_name(name), "`cost.{key}`: `{name}` is not the name of a field");
                ensure!(*number <= 1_000_000, "`cost.{key}.{name}` is more than 1000000");
            }
        }
        for argument in &self.cost.size_arguments {
            ensure!(
                argument.split('.').all(is_name),
                "`cost.size_arguments`: `{argument}` is not the name of an argument"
            );
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

fn default_operations() -> Vec<Kind> {
    vec![Kind::Query, Kind::Mutation]
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

fn default_depth() -> u64 {
    10
}

fn default_fields() -> u64 {
    1_000
}

fn default_root_fields() -> u64 {
    20
}

fn default_aliases() -> u64 {
    30
}

fn default_directives() -> u64 {
    50
}

fn default_tokens() -> usize {
    5_000
}

fn default_query_size() -> Size {
    Size::from_bytes(64 << 10)
}

fn default_batch() -> usize {
    1
}

fn default_values() -> usize {
    10_000
}

fn default_cost() -> u64 {
    1_000
}

fn default_items() -> u64 {
    1_000
}

fn default_size_arguments() -> Vec<String> {
    ["first", "last", "limit"].map(str::to_owned).into()
}
