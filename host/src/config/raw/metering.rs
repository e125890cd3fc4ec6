//! What was written: what is metered, and where that is kept and sent.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{List, Named};
use crate::config::field::{DurationText, Field, QuantityText};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "GatewaySettings")]
#[schemars(extend("x-expected" = "a table such as { id = \"edge-1\" }"))]
pub(in crate::config) struct RawGateway {
    /// Which gateway this is: part of the identity of all that it meters. Gateways that share a ledger each have another one.
    /// Default: the name of the machine.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["name", "node"]))]
    pub(in crate::config) id: Field<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Meter")]
#[schemars(extend("x-expected" = "a table such as { aggregation = \"sum\" }"))]
pub(in crate::config) struct RawMeter {
    /// How the values of many requests become one.
    #[schemars(extend("x-aliases" = ["kind", "type", "aggregate"]))]
    pub(in crate::config) aggregation: Field<RawAggregation>,
    /// What one of it is called.
    #[serde(default)]
    pub(in crate::config) unit: Field<String>,
    /// Decimal places of its values. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 6), extend("x-aliases" = ["scale", "places", "precision"]))]
    pub(in crate::config) decimals: Field<u8>,
    /// Names under which steps keep values apart. Default: none.
    #[serde(default)]
    #[schemars(length(max = 8), extend("x-expected" = "an array such as [\"model\"]", "x-aliases" = ["dimension", "group_by", "labels"]))]
    pub(in crate::config) dimensions: List<String>,
    /// What is reserved for a request of which no step says better; of a sum alone. Default: 1.
    #[serde(default)]
    pub(in crate::config) reserve: Field<QuantityText>,
    /// What a request costs that was forwarded and of which no answer came: nothing, or what was reserved for it. Default: `free`.
    #[serde(default)]
    pub(in crate::config) unanswered: Field<RawUnanswered>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawAggregation {
    Count,
    Sum,
    Max,
    Unique,
    Latest,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawUnanswered {
    Free,
    Reserved,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Ledger")]
#[schemars(extend("x-expected" = "a table such as { durability = \"sync\" }"))]
pub(in crate::config) struct RawLedger {
    /// When a request may be answered: `group` once its events are out of this process, `sync` once they are on disk. Default: `group`.
    #[serde(default)]
    pub(in crate::config) durability: Field<RawDurability>,
    /// With `group`: how much time the death of the machine may cost. Default: 100ms.
    #[serde(default)]
    pub(in crate::config) sync_interval: Field<DurationText>,
    /// What becomes of metered requests while the ledger cannot be written. Default: `deny`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["on_error"]))]
    pub(in crate::config) on_failure: Field<RawOnLedgerFailure>,
    /// How long an answer waits for its events to be written. Default: 5s.
    #[serde(default)]
    pub(in crate::config) timeout: Field<DurationText>,
    /// Events that may wait to be written. Default: 100000.
    #[serde(default)]
    #[schemars(range(min = 100, max = 10_000_000))]
    pub(in crate::config) queue: Field<u64>,
    /// How long single events are kept; sums by the hour as long, by the day for ever. Default: 400d.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["keep", "max_age"]))]
    pub(in crate::config) retention: Field<DurationText>,
    /// Certificates that are trusted beside the system's for a PostgreSQL server, in PEM: `${file:ca.pem}`.
    #[serde(default)]
    pub(in crate::config) ca: Field<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawDurability {
    Group,
    Sync,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawOnLedgerFailure {
    Deny,
    Allow,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Sink")]
#[schemars(extend("x-expected" = "a table such as { url = \"https://openmeter.example/api/v1/events\" }"))]
pub(in crate::config) struct RawSink {
    /// Where events go: `https://...`, `nats://...` (`tls://...` insists on TLS), or a directory as `file:...`.
    #[schemars(extend("x-expected" = "a URL such as \"https://openmeter.example/api/v1/events\"", "x-aliases" = ["to", "endpoint", "address"]))]
    pub(in crate::config) url: Field<String>,
    /// How they are written: `cloudevents`, `lago` or `stripe` for HTTP, `csv` or `json` for files. Default: `cloudevents`, or `csv` for files.
    #[serde(default)]
    pub(in crate::config) format: Field<RawFormat>,
    /// Header fields of each request, for HTTP. Write secrets as `${env:NAME}` or `${file:PATH}`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["header"]))]
    pub(in crate::config) headers: Named<String>,
    /// What they are published under, for NATS; `{meter}` and `{consumer}` stand for an event's. Default: `sluice.usage.{meter}`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["topic"]))]
    pub(in crate::config) subject: Field<String>,
    /// Whose events. Default: those of all meters.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-expected" = "an array such as [\"tokens\"]", "x-aliases" = ["meter"]))]
    pub(in crate::config) meters: List<String>,
    /// Events that are sent at once. Default: 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000), extend("x-aliases" = ["batch_size"]))]
    pub(in crate::config) batch: Field<u64>,
    /// How long events may gather before they are sent. Default: 1s.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["linger", "flush_interval"]))]
    pub(in crate::config) interval: Field<DurationText>,
    /// Of one delivery. Default: 10s.
    #[serde(default)]
    pub(in crate::config) timeout: Field<DurationText>,
    /// From when on events that wait are worth an alarm. Default: 5m.
    #[serde(default)]
    pub(in crate::config) lag_alarm: Field<DurationText>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawFormat {
    CloudEvents,
    Lago,
    Stripe,
    Csv,
    Json,
}
