//! Events: one row of the ledger each.

use std::sync::Arc;

use jiff::Timestamp;

/// What one exchange used of one meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The gateway, the request and the meter together are the event's identity: there is one row for each.
    pub gateway: Arc<str>,
    /// The exchange's `X-Request-Id`.
    pub request: Arc<str>,
    /// The meter's name.
    pub meter: Arc<str>,
    /// Who used it; empty if nobody is known.
    pub consumer: Arc<str>,
    /// The plan that the consumer was on; empty if none.
    pub plan: Arc<str>,
    /// The route that the exchange took.
    pub route: Arc<str>,
    /// When the exchange was admitted: it belongs to the periods that this falls in.
    pub at: Timestamp,
    /// In smallest units; never negative.
    pub value: i64,
    /// Of a unique meter: the first 16 bytes of the SHA-256 of what was seen.
    pub subject: Option<[u8; 16]>,
    /// Names and values, sorted by name.
    pub dimensions: Vec<(Arc<str>, Box<str>)>,
}

impl Event {
    /// `gateway/request/meter`, as exports write it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.gateway, self.request, self.meter)
    }
}
