//! What the operator writes.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;

/// What is counted on which meters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What is counted, 1 to 16. A meter may be named several times.
    #[schemars(length(min = 1, max = 16))]
    pub(crate) meters: Vec<MeterConfig>,
    /// Which responses count, where an entry does not say otherwise: statuses (`404`), classes (`2xx`) and ranges (`200-399`).
    /// Default: every status below 500. A refusal never counts: the gateway's own answer to a failure, and a step's problem document.
    #[serde(default)]
    pub(crate) statuses: Option<Vec<String>>,
}

/// What is counted on a meter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeterConfig {
    /// The meter, one of the gateway's `[meters]`.
    pub(crate) meter: String,
    /// What an exchange adds. A meter that counts adds one if nothing else is said; of the others it has to be said.
    #[serde(default)]
    pub(crate) value: Option<ValueConfig>,
    /// Of several values that `response_json` finds in a stream. Default: `last`.
    #[serde(default)]
    pub(crate) pick: Option<Pick>,
    /// What is reserved before the request goes on, in the meter's units. Default: the meter's `reserve`.
    #[serde(default)]
    pub(crate) expect: Option<ExpectConfig>,
    /// What counts if there is no value, or none that can be used. Default: `skip`.
    #[serde(default)]
    pub(crate) missing: Option<Missing>,
    /// Values of the meter's dimensions, up to 8. One that an exchange does not have is left out.
    #[serde(default)]
    pub(crate) dimensions: BTreeMap<String, DimensionConfig>,
    /// Which responses count, in place of the others' `statuses`.
    #[serde(default)]
    pub(crate) statuses: Option<Vec<String>>,
}

/// What an exchange adds to a meter.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueConfig {
    /// 1.
    One,
    /// Bytes of the request's body.
    RequestBytes,
    /// Bytes of the response's body.
    ResponseBytes,
    /// Milliseconds from the request's head to the response's last byte.
    Duration,
    /// How many gRPC messages the client has sent.
    GrpcRequestMessages,
    /// How many gRPC messages were sent to the client.
    GrpcResponseMessages,
    /// The client's address; only for a meter of unique values.
    ClientAddress,
    /// A decimal number in a request header; for a meter of unique values its text, as with the next four.
    RequestHeader(HeaderName),
    /// In a response header.
    ResponseHeader(HeaderName),
    /// What stands in the path where the route's pattern has this `{name}`.
    PathParam(String),
    /// In the request's JSON, such as `$.n`: a path, or up to 4, the first of which that is found counts. The request is held until
    /// its body is there, bounded by the plugin's `limits.body`.
    RequestJson(OneOrMany<String>),
    /// In the response's JSON, such as `$.usage.total_tokens`: a path, or up to 4, the first of which that is found counts. The response
    /// is read as it passes, whatever its size: JSON, JSON lines, server-sent events.
    ResponseJson(OneOrMany<String>),
}

/// Of several values in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The last.
    #[default]
    Last,
    /// What they come to.
    Sum,
    /// The greatest.
    Max,
}

/// What counts if there is no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nothing.
    #[default]
    Skip,
    /// What was expected. As long as a response has not come to its end, and if it never does, that counts unless more was found.
    Expected,
}

/// What is reserved before the request goes on.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExpectConfig {
    /// Always so much.
    Always(Amount),
    /// What the request says.
    Said(SaidConfig),
}

/// What a request says of what it is going to need.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaidConfig {
    /// In its JSON, such as `$.max_tokens`; up to 4 paths.
    #[serde(default)]
    pub(crate) request_json: Option<OneOrMany<String>>,
    /// In a header.
    #[serde(default)]
    pub(crate) request_header: Option<HeaderName>,
    /// If it says nothing, or no number.
    #[serde(default)]
    pub(crate) default: Option<Amount>,
}

/// A decimal number: `500`, or `"0.25"` as a text, so that it is exact.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// Whole units.
    Whole(u64),
    /// With decimal places.
    Decimal(String),
}

/// The value of a dimension.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DimensionConfig {
    /// The request's method.
    Method,
    /// The matched route's name.
    Route,
    /// The host that was asked for, lower case, without its port.
    Host,
    /// The class of the response's status: `2xx`.
    Status,
    /// A request header.
    RequestHeader(HeaderName),
    /// A response header.
    ResponseHeader(HeaderName),
    /// What stands in the path where the route's pattern has this `{name}`.
    PathParam(String),
    /// In the request's JSON: a path, or up to 4, the first of which that is found counts.
    RequestJson(OneOrMany<String>),
    /// In the response's JSON: a path, or up to 4, the first of which that is found counts.
    ResponseJson(OneOrMany<String>),
    /// Always this.
    Constant(String),
}

impl Amount {
    /// In smallest units.
    pub(crate) fn units(&self, meter: &Meter) -> Result<i64> {
        match self {
            Self::Whole(units) => meter.units(&units.to_string()),
            Self::Decimal(text) => meter.units(text),
        }
    }
}
