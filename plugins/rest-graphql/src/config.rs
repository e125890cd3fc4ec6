//! What the operator says.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

/// REST routes, and the GraphQL operations that answer them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Path of the upstream's GraphQL end point.
    #[serde(default = "default_endpoint")]
    pub(crate) endpoint: String,
    /// The routes.
    pub(crate) routes: Vec<RouteConfig>,
    /// The schema's enumerations, inputs and scalars, in GraphQL's language: as text, or the whole schema as a file,
    /// `"${asset:schema.graphql}"`. Needed where variables have types beyond `Int`, `Float`, `String`, `Boolean` and `ID`.
    #[serde(default)]
    pub(crate) schema: Option<SchemaConfig>,
    /// What errors of the upstream become, the first that fits; before what the plugin knows by itself, and behind a route's own.
    #[serde(default)]
    pub(crate) errors: Vec<ErrorConfig>,
    /// Requests that no route matches.
    #[serde(default)]
    pub(crate) unmatched: Unmatched,
    /// Parameters of a query that no variable takes.
    #[serde(default)]
    pub(crate) unknown_query: Unknown,
}

/// Where the schema is.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum SchemaConfig {
    /// A file.
    File(Asset),
    /// Its text.
    Text(String),
}

/// A route.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteConfig {
    /// Its method. `GET` is `HEAD` as well.
    pub(crate) method: Method,
    /// Its path, such as `/products/{id}`.
    #[schemars(regex(pattern = "^/"))]
    pub(crate) path: String,
    /// The document: one operation, or several with `operation`, and fragments.
    pub(crate) query: String,
    /// The name of the operation, if there are several.
    #[serde(default)]
    pub(crate) operation: Option<String>,
    /// Where variables come from. One that is not named here comes from the path if that has its name, else from the query with
    /// `GET` and `DELETE`, and from the body's member of its name with all other methods.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, SourceConfig>,
    /// Members of a JSON body that no variable takes.
    #[serde(default = "refuse")]
    pub(crate) unknown_body: Unknown,
    /// What of `data` is answered, such as `product` or `products.edges.*.node`; everything if not given.
    #[serde(default)]
    pub(crate) result: Option<String>,
    /// Status of what is answered: 200 to 299.
    #[serde(default = "ok")]
    #[schemars(range(min = 200, max = 299))]
    pub(crate) status: u16,
    /// Status if the result is `null`: 404 with a problem document, 204, or 200 with `null`.
    #[serde(default = "not_found")]
    pub(crate) null_status: u16,
    /// What becomes of a result beside which the upstream tells errors.
    #[serde(default)]
    pub(crate) partial: Partial,
    /// `Cache-Control` of what a `GET` answers. If not given, the upstream's.
    #[serde(default)]
    pub(crate) cache_control: Option<String>,
    /// What errors of the upstream become here.
    #[serde(default)]
    pub(crate) errors: Vec<ErrorConfig>,
}

/// Where a variable comes from.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum SourceConfig {
    /// `path:NAME`, `query:NAME`, `header:NAME`, `body` for all of it, `body:/POINTER`, or `consumer` for the consumer's name.
    From(String),
    /// Always the same.
    Fixed(Fixed),
}

/// A value that is always the same.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixed {
    /// The value.
    pub(crate) value: serde_json::Value,
}

/// What an error of the upstream becomes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorConfig {
    /// Its `extensions.code`.
    #[serde(default)]
    pub(crate) code: Option<String>,
    /// How its `path` begins, such as `cart.items.*.price`.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// Status of the problem document: 400 to 599.
    #[schemars(range(min = 400, max = 599))]
    pub(crate) status: u16,
    /// Its kind; `graphql-error` if not given.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// What the client is told in place of the error's message.
    #[serde(default)]
    pub(crate) detail: Option<String>,
}

/// What becomes of a request that no route matches.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unmatched {
    /// It is answered: 404 or 405.
    #[default]
    Refuse,
    /// It goes to the upstream as it is.
    Pass,
}

/// What becomes of what nobody asked for.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    #[default]
    Ignore,
    Refuse,
}

/// What becomes of a result beside which there are errors.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Partial {
    /// The first of the errors is answered.
    #[default]
    Refuse,
    /// The result is answered, with a header that says how many errors there are.
    Accept,
}

fn default_endpoint() -> String {
    "/graphql".to_owned()
}

fn refuse() -> Unknown {
    Unknown::Refuse
}

fn ok() -> u16 {
    200
}

fn not_found() -> u16 {
    404
}
