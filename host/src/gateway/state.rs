//! What the gateway knows of itself: for `/snapshot`, `/readyz` and the log.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::crew::Board;
use super::exports::Exporting;
use super::{counters, ledger};
use crate::chain::FaultReport;
use crate::config::Problems;
use crate::metering::Metering;
use crate::snapshot::Snapshot;
use crate::store::remote::RemoteStore;
use crate::telemetry::{Throttle, rfc3339};

/// What the gateway knows of itself. It belongs to the control runtime.
pub(crate) struct State {
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// What has become of it on the workers.
    board: Option<Rc<Board>>,
    stopping: bool,
    /// Settings that were changed and take effect at the next start.
    needs_restart: Vec<&'static str>,
    /// Since when each plugin has the digest that it has.
    active: BTreeMap<Arc<str>, Active>,
    published: Option<SystemTime>,
    refused: Option<Refused>,
    faults: BTreeMap<Arc<str>, PluginFaults>,
    throttle: Throttle<String>,
    store: Option<Arc<RemoteStore>>,
    metering: Option<Arc<Metering>>,
    exporting: Option<Rc<Exporting>>,
}

/// A reload that was refused, and why.
struct Refused {
    time: SystemTime,
    problems: Value,
}

/// A plugin's module, and since when it is the plugin's.
struct Active {
    digest: [u8; 32],
    since: SystemTime,
}

/// The faults of one plugin since its module came.
struct PluginFaults {
    since: SystemTime,
    count: u64,
    by_kind: BTreeMap<&'static str, u64>,
    last: Value,
}

impl State {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self {
            snapshot: None,
            board: None,
            stopping: false,
            needs_restart: Vec::new(),
            active: BTreeMap::new(),
            published: None,
            refused: None,
            faults: BTreeMap::new(),
            throttle: Throttle::default(),
            store: None,
            metering: None,
            exporting: None,
        }
    }

    /// Where counters and values are, if that is a server.
    pub(super) fn counts_on(&mut self, store: Option<Arc<RemoteStore>>) {
        self.store = store;
    }

    /// What is metered goes there, and from there to the sinks, if anything is.
    pub(super) fn meters_in(&mut self, metering: Option<Arc<Metering>>, exporting: Option<Rc<Exporting>>) {
        (self.metering, self.exporting) = (metering, exporting);
    }

    /// What was used, if anything is metered.
    pub(crate) fn metering(&self) -> Option<&Arc<Metering>> {
        self.metering.as_ref()
    }

    /// The document of `/ledger`.
    pub(crate) fn ledger_json(&self) -> Option<Value> {
        let sinks = self.exporting.as_ref().map_or_else(|| json!([]), |exporting| exporting.to_json());
        self.metering.as_ref().map(|metering| ledger::to_json(metering, sinks))
    }

    /// True once every worker serves the snapshot and has an instance of every step that denies without one, until
    /// draining begins; and unless the ledger has failed for good and metered requests are refused for it.
    pub(crate) fn is_ready(&self) -> bool {
        !self.stopping
            && self.board.as_ref().is_some_and(|board| board.is_warm())
            && !self.metering.as_ref().is_some_and(|metering| ledger::keeps_out(metering))
    }

    /// The gateway is about to end.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// A snapshot is being served. What is known of a plugin whose module it replaced is forgotten.
    pub(super) fn published(
        &mut self,
        snapshot: Arc<Snapshot>,
        board: Rc<Board>,
        needs_restart: Vec<&'static str>,
        now: SystemTime,
    ) {
        let mut before = std::mem::take(&mut self.active);
        for plugin in &snapshot.plugins {
            let digest = plugin.module.digest;
            let same = before.remove(&plugin.name).filter(|active| active.digest == digest);
            if same.is_none() {
                self.faults.remove(&plugin.name);
            }
            let active = same.unwrap_or(Active { digest, since: now });
            self.active.insert(Arc::clone(&plugin.name), active);
        }
        self.faults.retain(|plugin, _| self.active.contains_key(plugin));
        self.board = Some(board);
        self.needs_restart = needs_restart;
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
        let message = self.redacted(&report);
        let key = format!("{}/{}/{kind}", report.route, report.step);
        if let Some(suppressed) = self.throttle.permit(key, std::time::Instant::now()) {
            let backtrace =
                report.backtrace.iter().fold(String::new(), |text, frame| text + "\n    at " + frame);
            tracing::warn!(
                plugin = &*report.plugin, route = &*report.route, step = &*report.step,
                phase = report.phase.name(), kind, request_id = report.request_id, suppressed,
                // Last, because it goes over several lines.
                %backtrace,
                "plugin fault: {message}",
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
            since: now,
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
            "message": message,
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
            Some(snapshot) => snapshot.to_json(|plugin| self.status_of(plugin)),
            None => json!({ "generation": 0 }),
        };
        document["published"] = self.published.map(rfc3339).into();
        document["ready"] = self.is_ready().into();
        let mut complaints = self.board.as_ref().map(|board| board.complaints()).unwrap_or_default();
        if self.metering.as_ref().is_some_and(|metering| ledger::keeps_out(metering)) {
            complaints.push("the ledger has failed, and metered requests are refused".to_owned());
        }
        document["not_ready_because"] = complaints.into();
        document["needs_restart"] = self.needs_restart.as_slice().into();
        document["last_refused_reload"] = refused.into();
        document["ledger"] = self.ledger_json().into();
        document["store"] = self.store.as_ref().map(|store| counters::to_json(store)).into();
        document
    }

    /// A fault's message without the values that came into its plugin's configurations from outside.
    fn redacted(&self, report: &FaultReport) -> String {
        let Some(snapshot) = &self.snapshot else { return report.message.clone() };
        let steps = snapshot.config.routes.iter().flat_map(|route| &route.steps);
        steps
            .filter(|step| step.plugin.name == report.plugin)
            .fold(report.message.clone(), |message, step| step.config.redact(&message))
    }

    fn status_of(&self, plugin: &str) -> Value {
        let since = self.active.get(plugin).map(|active| rfc3339(active.since));
        match self.faults.get(plugin) {
            Some(faults) => json!({
                "state": "faulted",
                "since": rfc3339(faults.since),
                "faults": { "count": faults.count, "by_kind": faults.by_kind, "last": faults.last },
            }),
            None => json!({ "state": "active", "since": since, "faults": { "count": 0 } }),
        }
    }
}
