//! What the operator says.

use sluice_sdk::prelude::*;

/// The services, and how they look over HTTP.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The descriptor set, as `"${asset:api.binpb}"`: what `protoc --include_imports --descriptor_set_out` or `buf build` makes.
    pub(crate) descriptors: Asset,
    /// Full names of the services that are served; all of the set if left out.
    #[serde(default)]
    pub(crate) services: Option<Vec<String>>,
    /// Whether methods without `google.api.http` are served as `POST /package.Service/Method` with the whole message as the body.
    #[serde(default)]
    pub(crate) auto_mapping: bool,
    /// Path before those of the methods, such as `/api`.
    #[serde(default)]
    #[schemars(regex(pattern = "^/.*[^/]$"))]
    pub(crate) base_path: Option<String>,
    /// What becomes of requests that no method matches: 404 or 405, or they pass as they are.
    #[serde(default)]
    pub(crate) unmatched: Unmatched,
    /// How messages look in JSON.
    #[serde(default)]
    pub(crate) json: JsonConfig,
    /// What becomes of query parameters that are no field.
    #[serde(default)]
    pub(crate) unknown_query: Unknown,
    /// Whether the query may set fields of what the body is, as in Envoy. What the body says of a field counts more; lists are joined.
    #[serde(default)]
    pub(crate) query_into_body: bool,
    /// Query parameters that are never a field, such as `key`.
    #[serde(default)]
    pub(crate) ignored_query: Vec<String>,
    /// What becomes of members of a body that are no field.
    #[serde(default)]
    pub(crate) unknown_fields: Unknown,
    /// Whether a body has to say that it is JSON: else 415.
    #[serde(default)]
    pub(crate) require_json: bool,
    /// What in a path stays percent-encoded in a variable of several segments.
    #[serde(default)]
    pub(crate) unescape: Unescape,
    /// How streams are written for a client whose `Accept` does not say.
    #[serde(default)]
    pub(crate) streaming: Streaming,
    /// The longest message of a stream, either way.
    #[serde(default = "default_max_message")]
    pub(crate) max_message: Size,
    /// How the service's errors look.
    #[serde(default)]
    pub(crate) errors: Errors,
    /// How long a call may take: the service is told by `grpc-timeout`. What the request asks for can be less.
    #[serde(default)]
    pub(crate) timeout: Option<Duration>,
    /// Header in which a request asks for a timeout: seconds, or a duration such as `500ms`.
    #[serde(default = "default_timeout_header")]
    pub(crate) timeout_header: HeaderName,
    /// Prefix of request headers that is taken away, such as `grpc-metadata-`. Without it, headers pass under their own names only.
    #[serde(default)]
    pub(crate) metadata_prefix: Option<HeaderName>,
    /// Path under which an OpenAPI document of the services is served.
    #[serde(default)]
    #[schemars(regex(pattern = "^/"))]
    pub(crate) openapi: Option<String>,
}

/// How messages look in JSON.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonConfig {
    /// Enum values by name or by number.
    pub(crate) enums: Enums,
    /// Names of enum values in requests match in any case.
    pub(crate) enums_in_any_case: bool,
    /// Fields by their names in JSON or in the `.proto`. Requests may use either.
    pub(crate) field_names: FieldNames,
    /// Whether fields without presence are there if they have their default value.
    pub(crate) unset_fields: UnsetFields,
}

/// How enum values are written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Enums {
    #[default]
    Name,
    Number,
}

/// Which names fields have.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FieldNames {
    #[default]
    Camel,
    Proto,
}

/// Whether unset fields are written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnsetFields {
    #[default]
    Omit,
    Print,
}

/// What becomes of a request that no method matches.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unmatched {
    #[default]
    Refuse,
    Pass,
}

/// What becomes of what is not known.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    #[default]
    Refuse,
    Ignore,
}

/// What stays percent-encoded.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unescape {
    /// The slash, as `google.api.http` has it.
    #[default]
    AllButSlash,
    /// The reserved characters of RFC 6570.
    AllButReserved,
    All,
}

/// How a stream is written.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema, PartialEq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Streaming {
    /// A line for each message.
    #[default]
    Ndjson,
    /// A server-sent event for each message.
    Sse,
    /// One list in JSON.
    Array,
}

/// How errors are written.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Errors {
    /// `google.rpc.Status` in JSON.
    #[default]
    Status,
    /// A problem document.
    Problem,
}

fn default_max_message() -> Size {
    Size::from_bytes(1_000 << 10)
}

fn default_timeout_header() -> HeaderName {
    HeaderName::from_static("x-request-timeout")
}
