//! What the gateway knows of itself: for `/snapshot`, `/readyz` and the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::chain::FaultReport;
use crate::config::Problems;
use crate::snapshot::Snapshot;
use crate::telemetry::{Throttle, rfc3339};

/// What the gateway knows of itself. It belongs to the control runtime.
pub(crate) struct State {
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// False until every worker has an instance of every step, and again once draining begins.
    pub(crate) ready: bool,
    published: Option<SystemTime>,
    refused: Option<Refused>,
    faults: BTreeMap<Arc<str>, PluginFaults>,
    throttle: Throttle<String>,
}

/// A reload that was refused, and why.
struct Refused {
    time: SystemTime,
    problems: Value,
}

/// The faults of one plugin since the start.
struct PluginFaults {
    count: u64,
    by_kind: BTreeMap<&'static str, u64>,
    last: Value,
}

impl State {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self {
            snapshot: None,
            ready: false,
            published: None,
            refused: None,
            faults: BTreeMap::new(),
            throttle: Throttle::default(),
        }
    }

    /// A snapshot is being served.
    pub(crate) fn published(&mut self, snapshot: Arc<Snapshot>, now: SystemTime) {
        self.snapshot = Some(snapshot);
        self.published = Some(now);
        self.refused = None;
    }

    /// A reload was refused; the old snapshot goes on serving.
    pub(crate) fn refused(&mut self, problems: &Problems, now: SystemTime) {
        self.refused = Some(Refused { time: now, problems: problems.to_json() });
    }

    /// What was refused has been put back as it was.
    pub(crate) fn unrefuse(&mut self) {
        self.refused = None;
    }

    /// A plugin faulted: remembers it, and logs it unless the like was logged a moment ago.
    pub(crate) fn faulted(&mut self, report: FaultReport, now: SystemTime) {
        let kind = report.kind.name();
        let key = format!("{}/{}/{kind}", report.route, report.step);
        if let Some(suppressed) = self.throttle.permit(key, std::time::Instant::now()) {
            let backtrace =
                report.backtrace.iter().fold(String::new(), |text, frame| text + "\n    at " + frame);
            tracing::warn!(
                plugin = &*report.plugin, route = &*report.route, step = &*report.step,
                phase = report.phase.name(), kind, request_id = report.request_id, suppressed,
                // Last, because it goes over several lines.
                %backtrace,
                "plugin fault: {}", report.message,
            );
        }
        if report.opened_circuit {
            tracing::warn!(
                plugin = &*report.plugin,
                route = &*report.route,
                step = &*report.step,
                "circuit opened: nothing has worked for its whole window"
            );
        }
        let faults = self.faults.entry(Arc::clone(&report.plugin)).or_insert_with(|| PluginFaults {
            count: 0,
            by_kind: BTreeMap::new(),
            last: Value::Null,
        });
        faults.count += 1;
        *faults.by_kind.entry(kind).or_default() += 1;
        faults.last = json!({
            "time": rfc3339(now),
            "route": &*report.route,
            "step": &*report.step,
            "phase": report.phase.name(),
            "kind": kind,
            "message": report.message,
            "backtrace": report.backtrace,
            "request_id": report.request_id,
        });
    }

    /// The document of `/snapshot`.
    pub(crate) fn to_json(&self) -> Value {
        let refused = self
            .refused
            .as_ref()
            .map(|refused| json!({ "time": rfc3339(refused.time), "problems": refused.problems }));
        let mut document = match &self.snapshot {
            Some(snapshot) => snapshot.to_json(|plugin| self.faults_of(plugin)),
            None => json!({ "generation": 0 }),
        };
        document["published"] = self.published.map(rfc3339).into();
        document["ready"] = self.ready.into();
        document["last_refused_reload"] = refused.into();
        document
    }

    fn faults_of(&self, plugin: &str) -> Value {
        match self.faults.get(plugin) {
            Some(faults) => json!({ "count": faults.count, "by_kind": faults.by_kind, "last": faults.last }),
            None => json!({ "count": 0 }),
        }
    }
}
