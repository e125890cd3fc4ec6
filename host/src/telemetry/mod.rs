//! What the gateway says of itself: metrics, the access log, and log lines.
//!
//! The request path pays a few plain stores per exchange. Nothing here takes a lock that workers share.

pub(crate) mod access_log;
mod cell;
mod collect;
pub(crate) mod log;
mod metrics;
mod probe;
mod process;
mod series;
mod throttle;

#[cfg(test)]
mod tests;

pub(crate) use access_log::{AccessLog, AccessLogBuffer, rfc3339};
pub(crate) use metrics::{Metrics, ReloadResult, WorkerMetrics};
pub(crate) use probe::{CertificateSample, KeySetSample, MeteringSample, SinkSample, StoreSample};
pub(crate) use series::{
    CircuitState, ListenerMetrics, NO_ROUTE, PluginMetrics, RouteMetrics, StepMetrics, StepVerdict,
    UpstreamMetrics,
};
pub(crate) use throttle::Throttle;
